"""``qvlm train``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped

EXACT = ("statevector", "aer", "aer-gpu")
"""Backends without noise that give gradients."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Where a training leaves its run folder."""

    out: Annotated[Path, typer.Option(help="Run folder to make.")]
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the run folder if it exists and holds nothing else; start over where an "
            "interrupted training could go on.",
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained, see `qvlm_qiskit.recipes.TrainingOptions`."""

    recipe: Annotated[str, typer.Option(help="Model recipe: tiny, small or paper.")] = "small"
    blocks: Annotated[
        str, typer.Option(help="quantum, classical (the twins), frozen (random circuits) or none.")
    ] = "quantum"
    vision_block: Annotated[
        str | None,
        typer.Option(
            help="Name of the block behind the patch embeddings; by default the recipe's.",
            show_default=False,
        ),
    ] = None
    text_block: Annotated[
        str | None,
        typer.Option(
            help="Name of the block behind the token embeddings; by default the recipe's.",
            show_default=False,
        ),
    ] = None
    data: Annotated[str, typer.Option(help="Name of the data set.")] = "digits"
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 64
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3
    train_samples: Annotated[int, typer.Option(help="Size of the training set.")] = 16000
    seed: Annotated[int, typer.Option(help="Of weights, data and batches.")] = 0


@dataclass(frozen=True, kw_only=True)
class TrainingMachine:
    """Where circuits run while a model is trained: its gradients have to come from there."""

    backend: Annotated[
        str,
        typer.Option(
            help="Where circuits run while training: statevector, aer, aer-gpu, or noisy:<noise> "
            "for exact values and gradients under that noise; with --shots, samples of aer, "
            "noisy:<noise> or fake_<device>."
        ),
    ] = "statevector"
    shots: Annotated[
        int | None,
        typer.Option(
            help="Shots per measured circuit; by default exact values.", show_default=False
        ),
    ] = None
    gradient: Annotated[
        str,
        typer.Option(
            help="With --shots: param_shift (two rows or more per gate angle) or spsa (two rows "
            "per direction)."
        ),
    ] = "param_shift"
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Skip derivatives below their own standard error (param_shift)."
        ),
    ] = False
    directions: Annotated[int, typer.Option(help="Random directions per row with spsa.")] = 1
    noise_scale: common.NoiseScale = 1.0
    max_age_days: common.MaxAgeDays = None

    def check(self) -> None:
        """Refuse what can be refused before Qiskit or torch are imported.

        Raises:
            QVLMError: An unknown backend, or one that gives no gradients.
        """
        from qvlm_qiskit.backends.catalog import check_backend
        from qvlm_qiskit.backends.options import BackendOptions
        from qvlm_qiskit.errors import BackendError, InputError

        check_backend(self.backend, BackendOptions(shots=self.shots, **self._noise()))
        simulated = self.backend in EXACT or self.backend.startswith(("noisy:", "fake_"))
        if not simulated:
            raise BackendError(
                f"can't train on {self.backend!r}: gradients come from "
                f"{', '.join(map(repr, EXACT))}, 'noisy:…' or, with --shots, 'fake_…'"
            )
        if self.shots is None:
            if self.backend.startswith("fake_"):
                raise BackendError(
                    f"can't train on {self.backend!r} without --shots: it samples, and every row "
                    "of a gradient is run with as many"
                )
            if (self.gradient, self.prune, self.directions) != ("param_shift", False, 1):
                raise InputError(
                    "--gradient, --prune and --directions go with --shots: exact values are "
                    "differentiated exactly"
                )
        elif self.backend == "statevector":
            raise InputError("--shots goes with 'aer', 'noisy:…' or 'fake_…', not 'statevector'")
        if self.gradient not in ("param_shift", "spsa"):
            raise InputError(f"--gradient is {self.gradient!r}; it can be 'param_shift' or 'spsa'")
        if self.gradient != "spsa" and self.directions != 1:
            raise InputError("--directions goes with --gradient spsa")
        if self.directions < 1:
            raise InputError(f"--directions must be at least 1, got {self.directions}")
        if self.gradient != "param_shift" and self.prune:
            raise InputError(f"--prune goes with --gradient param_shift, not {self.gradient!r}")

    def open(self, seed: int) -> Any:
        """The backend to train on; None for the model's own statevectors."""
        from qvlm_qiskit.backends import open_backend

        if self.backend == "statevector":
            return None
        if self.shots is not None:
            return open_backend(self.backend, shots=self.shots, seed=seed, **self._noise())
        if self.backend in EXACT:
            return open_backend(self.backend, seed=seed)
        return open_backend(
            self.backend, precision=0, seed=seed, dtype="complex64", **self._noise()
        )

    def sampled(self) -> Any:
        """How samples are differentiated; None where values are exact."""
        from qvlm_qiskit.quantum import SampledGradient

        if self.shots is None:
            return None
        return SampledGradient(self.gradient, self.prune, samples=self.directions)  # type: ignore[arg-type]

    def _noise(self) -> dict[str, Any]:
        return {"noise_scale": self.noise_scale, "max_age_days": self.max_age_days}


@grouped
def train(
    folder: Folder, recipe: Recipe, machine: TrainingMachine, threads: common.Threads = 1
) -> None:
    """Train a model on questions about images, on exact values or on shots."""
    from qvlm_qiskit.basics.files import check_new_folder
    from qvlm_qiskit.recipes import TrainingOptions
    from qvlm_qiskit.runs import CONTENTS

    common.check_threads(threads)
    options = TrainingOptions(**asdict(recipe))
    machine.check()
    check_new_folder(folder.out, folder.overwrite, CONTENTS)
    common.use_threads(threads)
    from qvlm_qiskit import training
    from qvlm_qiskit.basics.progress import on_console

    screen = common.console()
    training.check_place(folder.out, overwrite=folder.overwrite, resume=folder.resume)
    try:
        run = training.train(
            options,
            folder.out,
            backend=machine.open(options.seed),
            gradient=machine.sampled(),
            overwrite=folder.overwrite,
            resume=folder.resume,
            track=on_console(screen),
        )
    except KeyboardInterrupt:
        _say_how_to_go_on(folder.out, training.checkpointed(folder.out))
        raise
    screen.print(
        f"trained {run.info['parameters']:,} parameters "
        f"({run.info['quantum_parameters']} circuit angles) in {run.info['seconds']:.0f} s: "
        f"{folder.out}"
    )


def _say_how_to_go_on(out: Path, steps: int | None) -> None:
    """What an interrupted training left."""
    kept = f"{steps} steps are kept: the same command goes on from there with --resume"
    common.say(f"qvlm: {'nothing is kept yet' if steps is None else kept}", err=True)
