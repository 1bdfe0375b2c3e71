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
