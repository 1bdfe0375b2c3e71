"""``qvlm ask`` and ``qvlm caption``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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
    machine: Machine,
    answered: Answered,
    question: Annotated[
        str | None,
        typer.Option(
            help="In the words of the training questions; a classifier needs none where all of "
            "them were the same.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Ask a trained model a question about an image."""
    ask_about(image, lambda known: question, machine, answered)


@grouped
def caption(image: ImagePath, machine: Machine, answered: Answered) -> None:
    """Let a trained model describe an image."""
    ask_about(image, _caption, machine, answered)


def ask_about(
    image: Path,
    question: Callable[[Mapping[str, str]], str | None],
    machine: MachineOptions,
    answered: Answered,
) -> None:
    """Print the answer to a question that is chosen among those of the data, or given.

    Args:
        image: A picture's file.
        question: The questions of the run's data by kind → what is asked.
        machine: Where circuits run.
        answered: Who answers.
    """
    from qvlm_qiskit.data.images import open_image
    from qvlm_qiskit.runs import Run

    machine.check()
    opened = Run.open(answered.run)
    machine.check_techniques()
    picture = open_image(image)
    common.use_threads(1)
    backend, model = machine.open(opened.seed, opened.answering_model), opened.answering_model()
    model, known = model.limited(answered.max_new_tokens), opened.questions
    asked = model.sample(picture, question(known), known)
    model.check_questions([asked])
    running = common.console().status(f"running on {backend.name}")
    with common.through_ledger(backend) as kept, running, model.run_on(kept):
        text = model.answers([asked])[0]
    _check_answer(text, known.values())
    if answered.as_json:
        common.print_json({"question": asked.question, "answer": text, "backend": kept.describe()})
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
