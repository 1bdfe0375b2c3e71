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


def own_command(run: Any) -> str | None:
    """What a run is that its own command goes on with: a training, or learning; None: neither."""
    from qvlm_qiskit.jobs.ledger.runs import LEARNING, TRAINING

    return {TRAINING: "training", LEARNING: "noise"}.get(run.request.get("format"))


def how_to_go_on(run: Any) -> str:
    """Which command goes on with a run that has its own."""
    about = run.request
    if own_command(run) == "training":
        what = f"a training of {about['run']}"
        command = about.get("command") or "qvlm_qiskit.training.train(…, resume=True)"
    else:
        what = f"the learning of noise for {about['out']}"
        command = about.get("command") or "qvlm_qiskit.inference.learn_noise"
    return f"run {run.id} is {what}: {command} goes on with it"
