"""Refusing an evaluation that costs too much, as a whole and before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.errors import BudgetError
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.costs.budget import spent
from qvlm_qiskit.jobs.costs.forecast import Forecast
from qvlm_qiskit.jobs.ledger.runs import JobRun, submissions_of


class Beyond(NamedTuple):
    """A limit of a budget that a plan does not keep, as far as anybody knows.

    Attributes:
        unit: Of the limit.
        form: How numbers of it are written.
        limit: The budget's.
        used: What was spent of it before.
        needed: What the plan adds; None where nobody knows.
    """

    unit: str
    form: str
    limit: float
    used: float
    needed: float | None

    def shown(self, number: float) -> str:
        """A number with its unit."""
        return f"{number:{self.form}} {self.unit}"

    def unknown(self, what: str) -> BudgetError:
        """What is said where nobody knows."""
        return BudgetError(
            f"the {self.unit} of {what} are not known beforehand, so it can't be held to a budget "
            f"of {self.limit:,}"
        )


def beyond(
    budget: Budget, planned: Forecast, spent: tuple[float, float] = (0.0, 0.0)
) -> Iterator[Beyond]:
    """The limits of a budget that a plan does not keep; a plan that buys nothing keeps all.

    Args:
        budget: The limits.
        planned: What would be bought.
        spent: QPU seconds and executions before it.
    """
    for unit, form, limit, used, needed in (
        ("QPU s", ",.1f", budget.seconds, spent[0], planned.seconds),
        ("executions", ",.0f", budget.executions, spent[1], planned.executions),
    ):
        if limit is None or planned.jobs == 0:
            continue
        if needed is None or used + needed > limit:
            yield Beyond(unit, form, limit, used, needed)


def check_budget(budget: Budget, planned: Forecast) -> None:
    """Refuse a plan as a whole: a run that is stopped half-way has paid for nothing.

    Raises:
        BudgetError: It costs more, or nobody knows.
    """
    for over in beyond(budget, planned):
        if over.needed is None:
            raise over.unknown("this run")
        raise BudgetError(
            f"the run needs about {over.shown(over.needed)} in {planned.jobs} jobs; the budget is "
            f"{over.limit:,}: nothing was sent"
        )


def check_allowance(service: JobService, planned: Forecast) -> None:
    """Refuse a plan that the account can't pay; each job is checked again before it is sent.

    Raises:
        BudgetError: It costs more than is left.
        UnreachableError: No answer.
    """
    if not service.charges or planned.jobs == 0:
        return
    left = service.allowance()
    if left.limit_reached:
        raise BudgetError(
            f"the account's usage limit on {service.machine} is reached: nothing was sent"
        )
    if left.remaining_seconds is None or planned.seconds is None:
        return
    if planned.seconds > left.remaining_seconds:
        raise BudgetError(
            f"the run needs about {planned.seconds:,.1f} QPU s in {planned.jobs} jobs; the account "
            f"has {left.remaining_seconds:,.1f} s left: nothing was sent"
        )


def check_left(
    budget: Budget, needed: Forecast, store: JobStore, run: JobRun | None, what: str
) -> None:
    """Refuse what costs more than a run has left of its budget.

    Args:
        budget: The limits.
        needed: What would be bought.
        store: The ledger.
        run: What was spent for it is gone; None: nothing was.
        what: Needs it, for the message.

    Raises:
        BudgetError: It costs more, or nobody knows.
    """
    before = (0.0, 0) if run is None else spent(submissions_of(store, run))
    for over in beyond(budget, needed, before):
        if over.needed is None:
            raise over.unknown(what)
        rest = max(over.limit - over.used, 0)
        left = f", of which {rest:{over.form}} are left" if over.used else ""
        raise BudgetError(
            f"{what} needs about {over.shown(over.needed)}; the budget is {over.limit:,}{left}"
        )
