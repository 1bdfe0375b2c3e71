"""What a ledger's jobs have cost, by machine and by run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypeVar

from sqlalchemy import func, select

from qvlm_qiskit.jobs.ledger import schema
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


def usage(store: JobStore) -> list[Usage]:
    """Costs by machine and run, in the order of their first submission.

    Args:
        store: The ledger.
    """
    table = schema.submissions.c
    group = (table.machine, table.run)
    sums = (
        func.count(),
        func.sum(table.rows),
        func.sum(table.executions),
        func.sum(table.seconds_estimated),
        func.sum(table.seconds_used),
    )
    query = (
        select(*group, *sums)
        .where(table.state.not_in([state.value for state in UNSENT]))
        .group_by(*group)
        .order_by(func.min(table.created_at), *group)
    )
    with store.reading() as connection:
        lines = connection.execute(query).all()
    said = _said(store)
    return [
        Usage(machine, run, jobs, rows, _total((planned, said.get((machine, run)))), *seconds)
        for machine, run, jobs, rows, planned, *seconds in lines
    ]


def _said(store: JobStore) -> dict[tuple[str, str | None], int]:
    """Executions by machine and run, of jobs that were not planned, as their answers say."""
    table, answers = schema.submissions.c, schema.answers.c
    query = (
        select(table.machine, table.run, table.id, answers.metadata)
        .join(schema.answers, answers.submission == table.id)
        .where(table.executions.is_(None), table.state == State.ANSWERED.value)
    )
    by_job: dict[tuple[str, str | None, str], list[int | None]] = defaultdict(list)
    with store.reading() as connection:
        for machine, run, job, metadata in connection.execute(query):
            by_job[machine, run, job].append(json.loads(metadata).get("executions"))
    found: dict[tuple[str, str | None], int] = defaultdict(int)
    for (machine, run, _), parts in by_job.items():
        if None not in parts:
            found[machine, run] += _total(parts) or 0
    return found


def executions_of(store: JobStore, submission: Submission) -> int | None:
    """Executions of a submission: as planned, or as its answers say."""
    if submission.executions is not None:
        return submission.executions
    said: list[int | None] = [a.get("executions") for a, _ in store.answers_of(submission.id)]
    return None if None in said else _total(said)


def _total(values: Iterable[Number | None]) -> Number | None:
    known: list[Number] = [value for value in values if value is not None]
    return None if not known else reduce(add, known)
