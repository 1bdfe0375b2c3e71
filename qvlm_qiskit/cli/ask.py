"""``qvlm ask`` and ``qvlm caption``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import Takes, grouped
from qvlm_qiskit.cli.options import MachineOptions

ImagePath = Annotated[Path, typer.Argument(help="A PNG, JPEG or other image file.")]
Machine = Annotated[MachineOptions, Takes(only=("backend", "shots", "mitigation", "seed"))]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Who answers, how long, and how it is printed."""

    run: common.RunFolder = common.DEFAULT_RUN
    max_new_tokens: common.MaxNewTokens = common.MAX_NEW_TOKENS
    as_json: common.AsJson = False

    def __post_init__(self) -> None:
        common.check_new_tokens(self.max_new_tokens)


@grouped
def ask(
    image: ImagePath,
    question: Annotated[str, typer.Option(help="In the words of the training questions.")],
    machine: Machine,
    answered: Answered,
) -> None:
    """Ask a trained model a question about an image."""
    _answer(image, question, machine, answered)


@grouped
def caption(image: ImagePath, machine: Machine, answered: Answered) -> None:
    """Let a trained model describe an image."""
    _answer(image, None, machine, answered)


def _answer(image: Path, question: str | None, machine: MachineOptions, answered: Answered) -> None:
    """Print the answer; without a question, the image's description."""
    from qvlm_qiskit.data.images import open_image
    from qvlm_qiskit.runs import Run

    machine.check()
    opened = Run.open(answered.run)
    machine.check_techniques()
    picture = open_image(image)
    common.use_threads(1)
    from qvlm_qiskit.evaluation import answer
    from qvlm_qiskit.evaluation.generate import check_lengths

    backend = machine.open(opened.seed)
    model, processor = opened.model(), opened.processor()
    known, longest = opened.questions, answered.max_new_tokens
    asked = _caption(known) if question is None else question
    _check_words(processor, asked, known.values())
    check_lengths(model, processor, [asked], longest)
    running = common.console().status(f"running on {backend.name}")
    with common.through_ledger(backend) as kept, running, model.run_on(kept):
        text = answer(model, processor, [picture], [asked], longest)[0]
    _check_answer(text, known.values())
    if answered.as_json:
        common.print_json({"question": asked, "answer": text, "backend": kept.describe()})
    else:
        common.say(text)


def _caption(known: Mapping[str, str]) -> str:
    """The question that asks a data set's models for a description."""
    from qvlm_qiskit.errors import InputError

    if "caption" not in known:
        raise InputError("the model was trained on a data set without captions: use qvlm ask")
    return known["caption"]


def _check_answer(text: str, trained_on: Iterable[str]) -> None:
    """Refuse to print nothing as if it were an answer.

    Raises:
        InputError: The model ended its answer before the first word.
    """
    from qvlm_qiskit.errors import InputError

    if not text:
        known = " ".join(map(repr, trained_on))
        raise InputError(f"the model has no answer to that question; it was trained on {known}")


def _check_words(processor: Any, question: str, trained_on: Iterable[str]) -> None:
    """Refuse words that the model has never seen, rather than answer to something else."""
    from qvlm_qiskit.errors import InputError

    tokenizer = processor.tokenizer
    encoded = tokenizer(question, return_offsets_mapping=True, add_special_tokens=False)
    unknown = [
        question[start:end]
        for token, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        # a special token is not a word, whatever the text looks like
        if token in tokenizer.all_special_ids
    ]
    if unknown or not encoded["input_ids"]:
        known = " ".join(repr(text) for text in trained_on)
        what = f"the model doesn't know {', '.join(map(repr, unknown))}" if unknown else "empty"
        raise InputError(f"question: {what}; it was trained on {known}")
