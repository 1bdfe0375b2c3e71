"""VQA accuracy, as the official script of the VQA benchmark computes it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.metrics.metric import References, SampleMean
from qvlm_qiskit.evaluation.metrics.registry import register_metric

AGREEING = 3
"""So many of the other people must have answered alike for an answer to be wholly right."""

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_PERIOD = re.compile(r"\.(?!\d)")
_PERIODS = 32
_COMMA = re.compile(r"\d,\d")
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
} | {"none": "0"}
_CONTRACTED = (
    "'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't "
    "hadn't hadn't've hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've "
    "it'll ma'am might've mightn't mightn't've must've mustn't needn't not've o'clock oughtn't "
    "shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's "
    "someone'd someone'd've someone'll someone's something'd something'd've something'll that's "
    "there'd there'd've there're there's they'd they'd've they'll they're they've wasn't "
    "we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd "
    "who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all "
    "y'all'd've y'all'll you'd you'd've you'll you're you've "
).split()


def _spellings() -> dict[str, str]:
    """Each contraction without one of its apostrophes → with it; and one the other way round."""
    found = {
        word[:place] + word[place + 1 :]: word
        for word in _CONTRACTED
        for place, letter in enumerate(word)
        if letter == "'"
    }
    return {**found, "somebody'd": "somebodyd"}


_SPELLINGS = _spellings()


@register_metric("vqa-accuracy")
class VQAAccuracy(SampleMean):
    """Mean over people of min(1, others who gave this answer / 3); VQA asks ten people.

    Answers are compared in lower case, without punctuation and articles, number words as digits and
    contractions with their apostrophes. The official script's quirks are kept: where all people
    gave one answer, texts are compared as they are; only 32 full stops are taken out; a mark
    becomes a space, unless it stands beside one or the text has a comma between digits.
    """

    labels = ("VQA accuracy",)
    source = "Antol et al. 2015, section 4; github.com/GT-Vision-Lab/VQA, vqaEval.py"

    def check_references(self, references: References) -> None:
        """Refuse questions with so few answers that no answer can be wholly right.

        Raises:
            InputError: A question has fewer than four; VQA has ten.
        """
        for index, answers in enumerate(references):
            if len(answers) <= AGREEING:
                raise InputError(
                    f"metric 'vqa-accuracy' needs the answers of at least {AGREEING + 1} people to "
                    f"every question (VQA has 10), sample {index} has {len(answers)}: "
                    "exact-match takes one"
                )

    def scores(self, answers: Sequence[str], references: References) -> list[float]:
        """One accuracy per question, 0 … 1."""
        return [_accuracy(a, people) for a, people in zip(answers, references, strict=True)]


def _accuracy(answer: str, people: Sequence[str]) -> float:
    answer, *people = (_on_one_line(text) for text in (answer, *people))
    if len(set(people)) > 1:
        answer, *people = (normalized(text) for text in (answer, *people))
    alike = [given == answer for given in people]
    others = [sum(alike) - one for one in alike]
    return sum(min(1.0, n / AGREEING) for n in others) / len(people)


def _on_one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def normalized(text: str) -> str:
    """An answer as the official script compares it."""
    bare, number = text, _COMMA.search(text) is not None
    for mark in _MARKS:
        beside = f"{mark} " in text or f" {mark}" in text
        bare = bare.replace(mark, "" if beside or number else " ")
    # The script passes re.UNICODE, which is 32, where the number of replacements belongs.
    words = _PERIOD.sub("", bare, count=_PERIODS).lower().split()
    plain = (_NUMBERS.get(word, word) for word in words)
    return " ".join(_SPELLINGS.get(word, word) for word in plain if word not in _ARTICLES)
