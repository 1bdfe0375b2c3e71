"""``qvlm train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qvlm_qiskit.cli.common import Threads, console, use_threads


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
    seed: Annotated[int, typer.Option(help="Of weights, data and batches.")] = 0,
    threads: Threads = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run folder if it exists.")
    ] = False,
) -> None:
    """Train a model on questions about handwritten digits, on exact statevectors."""
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
    run = training.train(options, out, overwrite=overwrite, resume=resume, track=on_console(screen))
    screen.print(
        f"trained {run.info['parameters']:,} parameters "
        f"({run.info['quantum_parameters']} circuit angles) in {run.info['seconds']:.0f} s: {out}"
    )
