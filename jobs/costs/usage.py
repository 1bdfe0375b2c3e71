"""What a ledger's jobs have cost, by machine and by run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypeVar

from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore

Number = TypeVar("Number", int, float)

UNSENT = frozenset({State.INTENDED, State.REFUSED, State.WITHDRAWN})


@dataclass(frozen=True)
class Usage:
    """Costs of some submissions.

    Attributes:
        machine: Where they ran.
        run: Id of the run that paid; None for submissions outside of runs.
        jobs: Submissions that the server has, or may have.
        rows: Rows that they buy.
        executions: Circuits × shots; None where no job says.
        seconds_estimated: QPU seconds, estimated before submission; None where nobody could.
        seconds_charged: QPU seconds that the server charged so far; None where it said nothing.
    """

    machine: str
    run: str | None
    jobs: int
    rows: int
    executions: int | None
    seconds_estimated: float | None
    seconds_charged: float | None


def usage(store: JobStore, submissions: Iterable[Submission] | None = None) -> list[Usage]:
    """Costs by machine and run, in the order of their first submission.

    Args:
        store: The ledger.
        submissions: By default all.
    """
    groups: dict[tuple[str, str | None], list[Submission]] = defaultdict(list)
    for one in store.find() if submissions is None else submissions:
        if one.state not in UNSENT:
            groups[one.machine, one.run].append(one)
    return [_usage(store, *key, members) for key, members in groups.items()]


def executions_of(store: JobStore, submission: Submission) -> int | None:
    """Executions of a submission: as planned, or as its answers say."""
    if submission.executions is not None:
        return submission.executions
    said: list[int | None] = [a.get("executions") for a, _ in store.answers_of(submission.id)]
    return None if None in said else _total(said)


def _usage(store: JobStore, machine: str, run: str | None, members: list[Submission]) -> Usage:
    return Usage(
        machine=machine,
        run=run,
        jobs=len(members),
        rows=sum(one.rows for one in members),
        executions=_total(executions_of(store, one) for one in members),
        seconds_estimated=_total(one.seconds_estimated for one in members),
        seconds_charged=_total(one.seconds_used for one in members),
    )


def _total(values: Iterable[Number | None]) -> Number | None:
    known: list[Number] = [value for value in values if value is not None]
    return None if not known else reduce(add, known)
