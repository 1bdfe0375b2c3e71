"""Runs: what a user asked for, of which every stage is a submission or several.

A run holds the request, so that any process can go on with it; what was bought for it is in the
submissions that name it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import case, func, insert, or_, select, update

from qvlm_qiskit.errors import InputError, JobError, LedgerError
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.history import now_in
from qvlm_qiskit.jobs.ledger.ids import checked_id
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.run_states import ENDED, refuse_ended
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore, new_id

RunState = Literal["waiting", "done", "failed", "cancelled"]

BEFORE: dict[RunState, tuple[RunState, ...]] = {
    "done": ("waiting",),
    "failed": ("waiting",),
    "cancelled": ("waiting", "failed", "cancelled"),
    "waiting": ("failed", "cancelled"),
}
"""From which states a run can come to each."""

WANTED = "another run waits for its rows, too"
TRAINING = "qvlm-training"
"""The ``format`` of a training's request; `qvlm train` goes on with it."""
LEARNING = "qvlm-noise-learning"
"""That of a request to learn noise; `qvlm noise learn` goes on with it."""


class RunStateError(LedgerError):
    """The run's state does not allow the new one."""


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
        store.journal.keep(connection, schema.runs, identifier)
    return load_run(store, identifier)


def load_run(store: JobStore, identifier: str) -> JobRun:
    """A run by its id, or by the beginning of it.

    Raises:
        InputError: There is none, or there are several.
    """
    table = schema.runs
    with store.reading() as connection:
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
    with store.reading() as connection:
        lines = connection.execute(select(table).order_by(table.c.created_at, table.c.id)).all()
    return [_run(line) for line in lines]


def last_run(store: JobStore) -> JobRun | None:
    """The run that was begun last; None where there is none."""
    table = schema.runs
    query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(1)
    with store.reading() as connection:
        line = connection.execute(query).first()
    return None if line is None else _run(line)


def job_counts(store: JobStore) -> dict[str, tuple[int, int]]:
    """Of every run that has jobs, how many are answered, and how many there are."""
    table = schema.submissions.c
    answered = func.sum(case((table.state == State.ANSWERED.value, 1), else_=0))
    query = select(table.run, answered, func.count()).where(table.run.is_not(None))
    with store.reading() as connection:
        lines = connection.execute(query.group_by(table.run)).all()
    return {run: (int(done), int(count)) for run, done, count in lines}


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

    The state that is on disk decides, see `BEFORE`: of two processes one wins.

    Raises:
        RunStateError: It can't follow.
    """
    table = schema.runs
    text = None if result is None else json.dumps(dict(result), allow_nan=False)
    with store.transaction() as connection:
        now = now_in(connection)
        written = connection.execute(
            update(table)
            .where(table.c.id == run.id, table.c.state.in_(BEFORE[state]), table.c.result.is_(None))
            .values(state=state, result=text, error=error, updated_at=now)
        )
        if written.rowcount == 1:
            store.journal.keep(connection, schema.runs, run.id)
    found = load_run(store, run.id)
    if written.rowcount != 1:
        raise RunStateError(
            f"run {run.id} {ENDED.get(found.state, 'goes on')}: it can't become {state}"
        )
    return found


def retry_ended(store: JobStore, run: JobRun) -> list[Submission]:
    """Take up again a run that has failed or was cancelled, with new attempts at its ended jobs.

    Returns:
        The new attempts: at submissions that ended without results, its own and those of others
        that it waited for.

    Raises:
        RunStateError: It is done.
    """
    if run.state != "waiting":
        run = close_run(store, run, "waiting")
    events, table = schema.events.c, schema.submissions.c
    asked = select(events.submission).where(events.owner == run.id, events.note == WANTED)
    found = store.find(or_(table.run == run.id, table.id.in_(asked)))
    ended = [s for s in found if s.state.ended_without_results and s.state is not State.WITHDRAWN]
    attempted = {s.previous for s in store.find(table.previous.in_([s.id for s in ended]))}
    return [retry(store, s, run.id) for s in ended if s.id not in attempted]


def check_run_lives(store: JobStore, held: Submission) -> None:
    """Refuse to send a submission whose run has ended.

    Raises:
        RunEndedError: It was cancelled, has failed or is done.
    """
    with store.reading() as connection:
        refuse_ended(connection, held.run)


def check_run_waits(store: JobStore, run: JobRun) -> None:
    """Refuse to go on with a run that another process has ended.

    Raises:
        RunEndedError: It was cancelled, has failed or is done.
    """
    with store.reading() as connection:
        refuse_ended(connection, run.id)


def note_wanted(store: JobStore, submissions: Iterable[str], run: str | None) -> None:
    """Write into the histories of other runs' submissions that this run waits for them, too."""
    if run is None:
        return
    events = schema.events.c
    for identifier in submissions:
        said = select(events.number).where(
            events.submission == identifier, events.owner == run, events.note == WANTED
        )
        with store.reading() as connection:
            known = connection.execute(said).first() is not None
        if not known and store.submission(identifier).run != run:
            store.note(identifier, WANTED, run)


def others_waiting(store: JobStore, submission: Submission, run: JobRun) -> list[str]:
    """Ids of the other runs that still wait for a submission's rows: its own, and who asked."""
    table, events = schema.runs, schema.events.c
    asked = select(events.owner).where(events.submission == submission.id, events.note == WANTED)
    query = (
        select(table.c.id)
        .where(
            table.c.state == "waiting",
            table.c.id != run.id,
            or_(table.c.id.in_(asked), table.c.id == submission.run),
        )
        .order_by(table.c.created_at, table.c.id)
    )
    with store.reading() as connection:
        return list(connection.execute(query).scalars())


def living_for(store: JobStore, run: JobRun) -> tuple[list[Submission], dict[str, list[str]]]:
    """What goes on for a run: submissions of its own, and ended runs' that it waited for.

    Returns:
        Those that nobody else needs, and the ids of the others with the runs that wait for them.
        What was not sent yet is needed by nobody: another run buys the rows itself.
    """
    events = schema.events.c
    asked = select(events.submission).where(events.owner == run.id, events.note == WANTED)
    own = schema.submissions.c.run == run.id
    alone, shared = [], {}
    for one in store.find(or_(own, schema.submissions.c.id.in_(asked))):
        if one.state.final:
            continue
        others = others_waiting(store, one, run)
        if others and (one.run != run.id or one.state is not State.INTENDED):
            shared[one.id] = others
        else:
            alone.append(one)
    return alone, shared


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
        checked_id("run", line.id),
        line.created_at,
        line.updated_at,
        line.state,
        json.loads(line.request),
        None if line.result is None else json.loads(line.result),
        line.error,
    )


def retry(store: JobStore, submission: Submission, run: str | None = None) -> Submission:
    """A new attempt with the same rows and package, a new id and tag, linked to the earlier one.

    Args:
        store: The ledger.
        submission: One that ended without results.
        run: Id of the run that pays for the attempt; by default the earlier one's.

    Raises:
        JobError: The submission still lives, has answers, or was attempted again already.
    """
    now = store.now()
    again = {
        **asdict(submission),
        "id": new_id("s-"),
        "tag": f"qvlm-{uuid.uuid4().hex}",
        "state": State.INTENDED,
        "run": run or submission.run,
        "attempt": submission.attempt + 1,
        "previous": submission.id,
        "posts": 0,
        "fetches": 0,
        "not_before": 0.0,
        "created_at": now,
        "updated_at": now,
    }
    for column in (
        "server_id", "raw", "reason", "reason_code", "posted_at", "answered_at", "certain_at",
        "boot", "boot_seconds", "account", "session", "seconds_used",
        "lease_owner", "lease_until", "lease_seconds", "lease_boot", "lease_boot_until",
    ):  # fmt: skip
        again[column] = None
    if not store.intend_again(again):
        raise JobError(
            f"submission {submission.id} is {store.submission(submission.id).state}: only one that "
            "was refused, failed, cancelled or withdrawn, and not attempted again yet, can be"
        )
    return store.submission(str(again["id"]))
