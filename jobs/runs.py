"""Runs: what a user asked for, of which every stage is a submission or several.

A run holds the request, so that any process can go on with it; what was bought for it is in the
submissions that name it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import insert, select, update

from qvlm_qiskit.errors import InputError, LedgerError
from qvlm_qiskit.jobs import schema
from qvlm_qiskit.jobs.records import Submission
from qvlm_qiskit.jobs.states import State
from qvlm_qiskit.jobs.store import JobStore, new_id

RunState = Literal["waiting", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class JobRun:
    """One inference that was asked for.

    Attributes:
        id: Its id, such as ``r-0123456789ab``.
        created_at: Seconds since 1970.
        updated_at: Seconds since 1970.
        state: "waiting" until its last stage is answered.
        request: What was asked, JSON-able.
        result: What came out; None before it is done.
        error: Why it failed.
    """

    id: str
    created_at: float
    updated_at: float
    state: RunState
    request: Mapping[str, Any]
    result: Mapping[str, Any] | None
    error: str | None


def new_run(store: JobStore, request: Mapping[str, Any]) -> JobRun:
    """Record a request.

    Raises:
        LedgerError: It is not JSON-able.
    """
    try:
        text = json.dumps(dict(request), allow_nan=False)
    except (TypeError, ValueError) as ex:
        raise LedgerError(f"the request of a run must be JSON-able: {ex}") from ex
    identifier, now = new_id("r-"), store.now()
    with store.transaction() as connection:
        connection.execute(
            insert(schema.runs).values(
                id=identifier, created_at=now, updated_at=now, state="waiting", request=text
            )
        )
    return load_run(store, identifier)


def load_run(store: JobStore, identifier: str) -> JobRun:
    """A run by its id, or by the beginning of it.

    Raises:
        InputError: There is none, or there are several.
    """
    table = schema.runs
    with store.transaction() as connection:
        found = connection.execute(
            select(table).where(table.c.id.startswith(identifier, autoescape=True))
        ).all()
    exact = [line for line in found if line.id == identifier] or found
    if not identifier or not exact:
        raise InputError(f"the ledger {store.place} has no run {identifier!r}: see qvlm jobs list")
    if len(exact) > 1:
        raise InputError(f"{len(exact)} runs begin with {identifier!r}: give more of the id")
    return _run(exact[0])


def list_runs(store: JobStore) -> list[JobRun]:
    """All runs, the oldest first."""
    table = schema.runs
    with store.transaction() as connection:
        lines = connection.execute(select(table).order_by(table.c.created_at, table.c.id)).all()
    return [_run(line) for line in lines]


def submissions_of(store: JobStore, run: JobRun) -> list[Submission]:
    """What was intended for a run, the oldest first."""
    return store.find(schema.submissions.c.run == run.id)


def close_run(
    store: JobStore,
    run: JobRun,
    state: RunState,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> JobRun:
    """Write how a run ended, or that it goes on; a result is never changed.

    Raises:
        LedgerError: It has a result already.
    """
    table = schema.runs
    text = None if result is None else json.dumps(dict(result), allow_nan=False)
    with store.transaction() as connection:
        written = connection.execute(
            update(table)
            .where(table.c.id == run.id, table.c.result.is_(None))
            .values(state=state, result=text, error=error, updated_at=store.now())
        )
    if written.rowcount != 1:
        raise LedgerError(f"run {run.id} is done: its result is not changed")
    return load_run(store, run.id)


def withdraw(store: JobStore, submission: Submission, owner: str) -> bool:
    """Take back a submission that was recorded but never sent; False when it is under way."""
    held = store.acquire(submission.id, owner, 30.0)
    if held is None:
        return False
    try:
        if held.state is not State.INTENDED:
            return False
        store.move(held, owner, State.WITHDRAWN, "withdrawn by the user")
    finally:
        store.release(submission.id, owner)
    return True


def _run(line: Any) -> JobRun:
    return JobRun(
        line.id,
        line.created_at,
        line.updated_at,
        line.state,
        json.loads(line.request),
        None if line.result is None else json.loads(line.result),
        line.error,
    )
