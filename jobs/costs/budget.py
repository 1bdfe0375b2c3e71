"""What may be sent: checked before the request, never after.

Executions and QPU seconds are those of the same plan that is submitted
(`backends.preflight.costs`). A submission whose cost can't be said beforehand is not sent to a
machine that charges.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qvlm_qiskit.backends.preflight.limits import JobLimits
from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.errors import BudgetError, InputError, JobPending
from qvlm_qiskit.jobs.costs import bills
from qvlm_qiskit.jobs.costs.usage import UNSENT
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore

MARGIN = 2.0
"""A job may take so many times its estimate before the server stops it."""
LEAST_SECONDS = 30
LONGEST_SECONDS = 3 * 3600
"""No job may take longer, also on a machine that documents no limit."""


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

    def max_seconds(
        self, estimated: float | None, limits: JobLimits, left: float | None = None
    ) -> int:
        """The maximum execution time that a job is sent with, in whole QPU seconds.

        Args:
            estimated: What it is estimated to take.
            limits: The machine's.
            left: What it may take of the budget; by default all of it.
        """
        longest = limits.seconds or LONGEST_SECONDS
        if estimated is None:
            return longest
        wanted = max(math.ceil(MARGIN * estimated), LEAST_SECONDS)
        limit = self.seconds if left is None else left
        if limit is not None:
            wanted = min(wanted, max(int(limit), 1))
        return min(wanted, longest)

    def cap(self, store: JobStore, service: JobService, held: Submission) -> int:
        """The maximum execution time that a submission is sent with now.

        Of what the run's other jobs leave of the budget it gets its share beside those that are
        recorded and not sent yet, so that the maximum times of all together never exceed it.
        """
        needed = held.seconds_estimated
        if self.seconds is None or needed is None or not service.charges:
            return self.max_seconds(needed, service.limits)
        left = self.left(store, held)
        intended = [s for s in _others(store, held) if s.state is State.INTENDED]
        together = needed + sum(s.seconds_estimated or 0.0 for s in intended)
        share = left * needed / together if needed < together <= left else left
        return self.max_seconds(needed, service.limits, min(max(share, math.ceil(needed)), left))

    def left(self, store: JobStore, held: Submission) -> float:
        """What the run's other jobs leave of the budget's QPU seconds, whatever they will take."""
        counted = _counted(_others(store, held))
        return max((self.seconds or math.inf) - sum(map(_reserved, counted)), 0.0)

    def check(self, store: JobStore, service: JobService, held: Submission) -> Reading | None:
        """Refuse a submission that would cost too much.

        Returns:
            What the account has left, for `check_again`; None where it is not limited.

        Raises:
            BudgetError: It would; the message says what and by how much.
            JobPending: It would, unless other jobs of the run take less than they may.
            UnreachableError: The service did not say what is left.
        """
        bills.settle(store, service, run=held.run, recent=True)
        self.check_own(store, service, held)
        if not service.charges:
            return None
        needed, executions = held.seconds_estimated, held.executions
        if needed is None or executions is None:
            raise BudgetError(
                f"submission {held.id}: nothing says beforehand what it would cost on "
                f"{held.machine}, so it is not sent"
            )
        _check_size(service.limits, held.id, executions, needed)
        at = store.now()
        unpaid = bills.unpaid(store, service)
        allowance = service.allowance()
        if allowance.limit_reached:
            raise BudgetError(f"the account's usage limit on {held.machine} is reached")
        if allowance.remaining_seconds is None:
            return None
        reading = Reading(allowance.remaining_seconds, at, tuple(unpaid))
        reading.check(store, service, held)
        return reading

    def check_again(
        self, store: JobStore, service: JobService, held: Submission, reading: Reading | None
    ) -> None:
        """Repeat the checks when a submission is marked as being sent.

        Another worker may have marked one since `check`: each of the two sees both now.

        Raises:
            BudgetError: See `check`.
            JobPending: See `check`.
        """
        self.check_own(store, service, held)
        if reading is not None:
            reading.check(store, service, held)

    def check_own(self, store: JobStore, service: JobService, held: Submission) -> None:
        """Refuse a submission that would exceed the run's own budget.

        Raises:
            BudgetError: It would, with what other submissions of the run have used or will use.
            JobPending: It would, if other jobs of the run take all that they may.
        """
        if self.seconds is None and self.executions is None:
            return
        counted = _counted(_others(store, held))
        seconds, executions = spent(counted)
        for name, limit, needed, used in (
            ("QPU s", self.seconds, held.seconds_estimated, seconds),
            ("executions", self.executions, held.executions, executions),
        ):
            if limit is None:
                continue
            if needed is None:
                raise BudgetError(
                    f"submission {held.id}: its {name} are not known beforehand, so it can't be "
                    f"held to a budget of {limit:,}"
                )
            if used + needed > limit:
                raise BudgetError(
                    f"submission {held.id} needs about {needed:,.1f} {name}; the budget of "
                    f"{limit:,} has {max(limit - used, 0):,.1f} left"
                )
        if self.seconds is not None and service.charges:
            self._check_reserved(held, counted)

    def _check_reserved(self, held: Submission, counted: Sequence[Submission]) -> None:
        """Refuse what fits only if jobs without a bill take less than their maximum time."""
        limit, reserved = self.seconds or math.inf, sum(map(_reserved, counted))
        marked = held.state is State.POSTING
        needed = held.max_seconds if marked else held.seconds_estimated or 0.0
        if reserved + needed <= limit:
            return
        text = (
            f"submission {held.id} needs about {needed:,.1f} QPU s; of the budget of {limit:,} "
            f"{reserved:,.1f} are used, or reserved for jobs whose bill is not there yet"
        )
        if running := [s.id for s in counted if not s.state.final]:
            raise JobPending(text, running)
        raise BudgetError(text)


@dataclass(frozen=True)
class Reading:
    """What an account had left at a moment.

    Attributes:
        seconds: QPU seconds.
        at: When it was asked, by the store's clock.
        unpaid: Jobs that it may not have been charged for then.
    """

    seconds: float
    at: float
    unpaid: tuple[Submission, ...]

    def check(self, store: JobStore, service: JobService, held: Submission) -> None:
        """Refuse a submission that would take more than is left when all unpaid jobs are charged.

        Raises:
            BudgetError: It would.
        """
        now = bills.unpaid(store, service, since=self.at)
        others = {s.id: s for s in (*self.unpaid, *now) if s.id != held.id}
        waiting = sum(
            max(s.seconds_estimated or 0.0, s.seconds_used or 0.0) for s in others.values()
        )
        needed = held.seconds_estimated or 0.0
        if needed + waiting > self.seconds:
            also = f", and {waiting:,.1f} s of other jobs are not charged yet" if waiting else ""
            raise BudgetError(
                f"submission {held.id} needs about {needed:,.1f} QPU s{also}; the account has "
                f"{self.seconds:,.1f} s left"
            )


def _check_size(limits: JobLimits, name: str, executions: int, seconds: float) -> None:
    """Refuse a job that is larger than the machine's documented limits.

    Raises:
        BudgetError: It is.
    """
    for what, needed, most in (
        ("executions", executions, limits.executions),
        ("s", seconds, limits.seconds or LONGEST_SECONDS),
    ):
        if most is not None and needed > most:
            raise BudgetError(
                f"submission {name} has about {needed:,.0f} {what}; one job has at most {most:,}"
            )


def spent(submissions: Iterable[Submission]) -> tuple[float, int]:
    """QPU seconds and executions of what the server has or may have of some submissions."""
    counted = _counted(submissions)
    return sum(map(_seconds, counted)), sum(s.executions or 0 for s in counted)


def _others(store: JobStore, held: Submission) -> list[Submission]:
    """The other submissions of the same run; one without a run is alone."""
    if held.run is None:
        return []
    return store.find(schema.submissions.c.run == held.run, schema.submissions.c.id != held.id)


def _counted(submissions: Iterable[Submission]) -> list[Submission]:
    """Those that the server has or may have."""
    return [s for s in submissions if s.state not in UNSENT]


def _seconds(submission: Submission) -> float:
    """What a job was charged at its end, or is estimated to use."""
    if submission.seconds_used is not None and submission.state in bills.ENDED:
        return submission.seconds_used
    return submission.seconds_estimated or 0.0


def _reserved(submission: Submission) -> float:
    """What a job was charged at its end, or may use at most."""
    if submission.seconds_used is not None and submission.state in bills.ENDED:
        return submission.seconds_used
    return float(submission.max_seconds)
