"""``qvlm train``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.options import DataOptions
from qvlm_qiskit.cli.training.machine import Kept, TrainingMachine
from qvlm_qiskit.cli.training.recipe import Recipe
from qvlm_qiskit.cli.training.run import Folder, given, run_training


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a training starts from, if it is a trained run."""

    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Start from this run folder's weights, data and processor.",
            show_default=False,
        ),
    ] = None
    trains: Annotated[
        str | None,
        typer.Option(
            "--train",
            help="With --from: circuits (their angles alone, the default) or all.",
            show_default=False,
        ),
    ] = None

    def open(self) -> Any:
        """The run; None where a training starts from nothing.

        Raises:
            InputError: Nothing to choose parameters of, or another choice.
            RunFolderError: There is none.
        """
        from qvlm_qiskit.errors import InputError, UnknownNameError
        from qvlm_qiskit.runs import Run

        if self.trains not in (None, "circuits", "all"):
            raise UnknownNameError("--train", str(self.trains), ("circuits", "all"))
        if self.source is None:
            if self.trains is not None:
                raise InputError("--train goes with --from: what starts from nothing trains whole")
            return None
        return Run.open(self.source)


@grouped
def train(
    context: typer.Context,
    folder: Folder,
    source: Source,
    recipe: Recipe,
    data: DataOptions,
    machine: TrainingMachine,
    kept: Kept,
    threads: common.Threads = 1,
    as_json: common.AsJson = False,
) -> None:
    """Train a model on questions about images, on exact values, on shots or on hardware.

    With --json what run.json says is printed in the end, and the history of losses; with --dry-run
    the plan.
    """
    common.check_threads(threads)
    options, start = _options(recipe, data, source, given(context))
    run_training(
        context, options, folder, machine, kept, start=start, trains=source.trains,
        threads=threads, as_json=as_json,
    )  # fmt: skip


def _options(
    recipe: Recipe, data: DataOptions, source: Source, given: Collection[str]
) -> tuple[Any, Any]:
    """What is trained, and the run that it starts from, if any.

    Raises:
        InputError: An option that was given contradicts the run.
    """
    from qvlm_qiskit.recipes import OF_THE_MODEL, TrainingOptions

    chosen, start = recipe.chosen(), source.open()
    if (name := data.name()) is not None:
        chosen["data"] = name
    if start is None:
        return TrainingOptions(**chosen), None
    start.check_same_model({n: v for n, v in chosen.items() if n in given and n in OF_THE_MODEL})
    return TrainingOptions(**{**chosen, **start.trained_with()}), start
