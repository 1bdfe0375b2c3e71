import random
from pathlib import Path

import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.metrics import find_metric
from qvlm_qiskit.evaluation.metrics.vqa_accuracy import normalized

AWKWARD = [
    "yes", "Yes", "no", "two", "2", "10,000", "the red bus", "a dog", "dont know", "it's",
    "T-shirt", "t shirt", "3.5", "u.s.", "left/right", "none", "0", "yes.", "yes, it is",
    "can't", "cant", "...", "." * 40 + "x", "one way", "1 way", "éclair", "#5", "50%", "$5", "",
    " dog ", "dog\n", "tv?", "ten", "an", "blue and white", "blue, white", "somebody'd",
    "somebodyd", "shes", "lets", "Id've", "I'd've", "yall'll", "y'allll", "'ow'sat", "a\tb",
    "a\u00a0b", "١,٢ x-y", "x- y", "(a) b", "\"q\"", "<=5.5", "<=.5", "1.", "1 .5", "a.b.c",
    "twas'", "HES", "The", "THE an A", "\n\n", "“yes”", "日本", "😀", "zero", "seven-eleven",
    "one,two", "1,2,3 a-b", "_a_b_", "a__b", "a;b", "a ;b", "@x", "x`y", "!", "?!", "/", "\\",
]  # fmt: skip
OFFICIAL = (Path(__file__).parent / "vqa_awkward.txt").read_text("utf-8").replace("\n", "")
"""What the official script gives each question: 0, .3, .6, .9 or 1."""
WRITTEN = {0.0: "0", 0.3: "3", 0.6: "6", 0.9: "9", 1.0: "1"}


def questions(count):
    """(ten people's answers, the answer to judge), the same everywhere."""
    draw = random.Random(0)

    def pick(things):
        return things[int(draw.random() * len(things))]

    for _ in range(count):
        few = [pick(AWKWARD) for _ in range(pick([1, 2, 3, 5]))]
        people = [pick(few) for _ in range(10)]
        yield people, pick([pick(AWKWARD), people[0], people[3]])


def vqa(answer, people):
    (found,) = find_metric("vqa-accuracy").scores([answer], [people])
    return found


def test_three_thousand_awkward_questions_have_the_official_scripts_accuracies():
    people, given = zip(*questions(3000), strict=True)
    found = find_metric("vqa-accuracy").scores(given, people)
    written = "".join(WRITTEN[round(score, 6)] for score in found)
    assert len(OFFICIAL) == 3000
    wrong = [i for i in range(3000) if written[i] != OFFICIAL[i]]
    assert [(people[i], given[i], written[i], OFFICIAL[i]) for i in wrong] == []


@pytest.mark.parametrize(
    ("others", "accuracy"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (9, 1), (10, 1)]
)
def test_three_others_make_an_answer_wholly_right(others, accuracy):
    people = ["yes"] * others + ["no"] * (10 - others)
    assert vqa("yes", people) == pytest.approx(accuracy)


def test_answers_are_normalised_where_people_disagree_only():
    assert vqa("The Dog.", ["dog"] * 9 + ["cat"]) == 1
    assert vqa("The Dog.", ["dog"] * 10) == 0
    assert vqa(" dog\n", ["dog"] * 10) == 1


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("A man and the dog", "man and dog"), ("None", "0"), ("TEN", "10"), ("dont", "don't"),
        ("couldnt've", "couldn't've"), ("somebody'd", "somebodyd"), ("T-shirt", "t shirt"),
        ("T- shirt", "t shirt"), ("10,000-x", "10000x"), ("3.5", "3.5"), ("u.s.", "us"),
        ("." * 40, "." * 8), ("", ""), ("?!", ""), ("l'été", "l'été"), ("  two   ones ", "2 ones"),
    ],
)  # fmt: skip
def test_what_is_left_of_an_answer(text, plain):
    assert normalized(text) == plain


def test_too_few_people_are_refused():
    with pytest.raises(InputError, match=r"at least 4 people .* sample 1 has 3"):
        find_metric("vqa-accuracy").check_references([["a"] * 4, ["a"] * 3])
