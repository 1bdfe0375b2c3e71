"""How a run is named on the command line, and found in the ledger."""

from __future__ import annotations

from typing import Annotated, Any

import typer

LAST = "last"

Identifier = Annotated[
    str, typer.Argument(help="The run's id, the beginning of it, or last.", metavar="ID")
]


def load(ledger: Any, identifier: str) -> Any:
    """The run of that id; "last" is the one that was begun last."""
    from qvlm_qiskit.jobs.ledger.runs import last_run, load_run

    last = last_run(ledger) if identifier == LAST else None
    return last or load_run(ledger, identifier)


def is_training(run: Any) -> bool:
    """Whether a run is a training, which its own command goes on with."""
    from qvlm_qiskit.jobs.ledger.runs import TRAINING

    return bool(run.request.get("format") == TRAINING)


def how_to_train_on(run: Any) -> str:
    """Which command goes on with a training."""
    command = run.request.get("command") or "qvlm_qiskit.training.train(…, resume=True)"
    return f"run {run.id} is a training of {run.request['run']}: {command} goes on with it"
