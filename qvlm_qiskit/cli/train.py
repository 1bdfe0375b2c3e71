"""``qvlm train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli.common import MaxAgeDays, NoiseScale, Threads, console, use_threads


def train(
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    recipe: Annotated[str, typer.Option(help="Model recipe: tiny, small or paper.")] = "small",
    blocks: Annotated[
        str, typer.Option(help="quantum, classical (the twins), frozen (random circuits) or none.")
    ] = "quantum",
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000,
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
    train_samples: Annotated[int, typer.Option(help="Size of the training set.")] = 16000,
    backend: Annotated[
        str,
        typer.Option(
            help="Where circuits run while training: statevector, or noisy:<noise> for exact "
            "values and gradients under that noise."
        ),
    ] = "statevector",
    noise_scale: NoiseScale = 1.0,
    max_age_days: MaxAgeDays = None,
    seed: Annotated[int, typer.Option(help="Of weights, data and batches.")] = 0,
    threads: Threads = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run folder if it exists.")
    ] = False,
) -> None:
    """Train a model on questions about handwritten digits, with exact gradients."""
    from qvlm_qiskit import training
    from qvlm_qiskit.progress import on_console

    use_threads(threads)
    options = training.TrainingOptions(
        recipe=recipe,
        blocks=blocks,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        train_samples=train_samples,
        seed=seed,
    )
    screen = console()
    run = training.train(
        options,
        out,
        backend=_opened(backend, seed, noise_scale=noise_scale, max_age_days=max_age_days),
        overwrite=overwrite,
        resume=resume,
        track=on_console(screen),
    )
    screen.print(
        f"trained {run.info['parameters']:,} parameters "
        f"({run.info['quantum_parameters']} circuit angles) in {run.info['seconds']:.0f} s: {out}"
    )


def _opened(name: str, seed: int, **noise: Any) -> Any:
    """The backend to train on; None for the model's own statevectors."""
    from qvlm_qiskit.backends import open_backend
    from qvlm_qiskit.errors import BackendError

    if name.startswith("noisy:"):
        return open_backend(name, precision=0, seed=seed, dtype="complex64", **noise)
    opened = open_backend(name, **noise)
    if name != "statevector":
        raise BackendError(
            f"can't train on {opened.name!r}: gradients come from 'statevector' or from 'noisy:…'"
        )
    return None
