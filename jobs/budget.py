"""What may be sent: checked before the request, never after.

Executions and QPU seconds are those of the same plan that is submitted (`backends.costs`). A
submission whose cost can't be said beforehand is not sent to a machine that charges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qvlm_qiskit.backends.limits import MAX_EXECUTIONS, MAX_JOB_SECONDS
from qvlm_qiskit.errors import BudgetError, InputError
from qvlm_qiskit.jobs import schema
from qvlm_qiskit.jobs.records import Submission
from qvlm_qiskit.jobs.service import JobService
from qvlm_qiskit.jobs.states import State
from qvlm_qiskit.jobs.store import JobStore

MARGIN = 2.0
"""A job may take so many times its estimate before the server stops it."""
LEAST_SECONDS = 30


@dataclass(frozen=True)
class Budget:
    """Limits of one run, beyond those that the service documents.

    Attributes:
        seconds: QPU seconds that all its jobs together may take; None: no limit of the user's.
        executions: Executions of all its jobs together; None: no limit.
    """

    seconds: float | None = None
    executions: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise InputError(f"the budget of {name} is {value!r}; it must be above 0")

    def max_seconds(self, estimated: float | None) -> int:
        """The maximum execution time that a job is sent with, in whole QPU seconds."""
        if estimated is None:
            return MAX_JOB_SECONDS
        wanted = max(math.ceil(MARGIN * estimated), LEAST_SECONDS)
        if self.seconds is not None:
            wanted = min(wanted, max(int(self.seconds), 1))
        return min(wanted, MAX_JOB_SECONDS)

    def check(self, store: JobStore, service: JobService, held: Submission) -> None:
        """Refuse a submission that would cost too much.

        Raises:
            BudgetError: It would; the message says what and by how much.
            UnreachableError: The service did not say what is left.
        """
        self.check_own(store, held)
        if not service.charges:
            return
        needed, executions = held.seconds_estimated, held.executions
        if needed is None or executions is None:
            raise BudgetError(
                f"submission {held.id}: nothing says beforehand what it would cost on "
                f"{held.machine}, so it is not sent"
            )
        if executions > MAX_EXECUTIONS or needed > MAX_JOB_SECONDS:
            raise BudgetError(
                f"submission {held.id} has {executions:,} executions in about {needed:,.0f} s; one "
                f"job has at most {MAX_EXECUTIONS:,} and {MAX_JOB_SECONDS:,} s"
            )
        allowance = service.allowance()
        if allowance.limit_reached:
            raise BudgetError(f"the account's usage limit on {held.machine} is reached")
        if allowance.remaining_seconds is None:
            return
        waiting = sum(s.seconds_estimated or 0.0 for s in _waiting(store, held))
        if needed + waiting > allowance.remaining_seconds:
            also = f", and {waiting:,.1f} s of other jobs are waiting" if waiting else ""
            raise BudgetError(
                f"submission {held.id} needs about {needed:,.1f} QPU s{also}; the account has "
                f"{allowance.remaining_seconds:,.1f} s left"
            )

    def check_own(self, store: JobStore, held: Submission) -> None:
        """Refuse a submission that would exceed the run's own budget.

        Raises:
            BudgetError: It would, with what other submissions of the run have used or will use.
        """
        if self.seconds is None and self.executions is None:
            return
        others = [s for s in _of_run(store, held) if s.id != held.id]
        counted = [s for s in others if s.state is not State.INTENDED and not _free(s)]
        for name, limit, needed, spent in (
            ("QPU s", self.seconds, held.seconds_estimated, sum(map(_seconds, counted))),
            (
                "executions",
                self.executions,
                held.executions,
                sum(s.executions or 0 for s in counted),
            ),
        ):
            if limit is None:
                continue
            if needed is None:
                raise BudgetError(
                    f"submission {held.id}: its {name} are not known beforehand, so it can't be "
                    f"held to a budget of {limit:,}"
                )
            if spent + needed > limit:
                raise BudgetError(
                    f"submission {held.id} needs about {needed:,.1f} {name}; the budget of "
                    f"{limit:,} has {max(limit - spent, 0):,.1f} left"
                )


def _of_run(store: JobStore, held: Submission) -> list[Submission]:
    if held.run is None:
        return store.find(schema.submissions.c.id == held.id)
    return store.find(schema.submissions.c.run == held.run)


def _waiting(store: JobStore, held: Submission) -> list[Submission]:
    """Jobs of this store that the account will be charged for, but has not been yet."""
    table = schema.submissions
    states = [State.POSTING, State.UNKNOWN, State.QUEUED, State.RUNNING]
    return store.find(
        table.c.machine == held.machine,
        table.c.id != held.id,
        table.c.state.in_([state.value for state in states]),
    )


def _seconds(submission: Submission) -> float:
    if submission.seconds_used is not None:
        return submission.seconds_used
    return submission.seconds_estimated or 0.0


def _free(submission: Submission) -> bool:
    """Whether it ended before the server accepted it."""
    return submission.state in (State.REFUSED, State.WITHDRAWN)
