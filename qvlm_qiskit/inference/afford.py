"""Refusing an evaluation that costs too much, as a whole and before anything is sent."""

from __future__ import annotations

from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.errors import BudgetError
from qvlm_qiskit.jobs import Budget
from qvlm_qiskit.jobs.costs.forecast import Forecast


def check_budget(budget: Budget, planned: Forecast) -> None:
    """Refuse a plan as a whole: a run that is stopped half-way has paid for nothing.

    Raises:
        BudgetError: It costs more, or nobody knows.
    """
    for what, limit, needed, shown in (
        ("QPU s", budget.seconds, planned.seconds, ",.1f"),
        ("executions", budget.executions, planned.executions, ",.0f"),
    ):
        if limit is None or planned.jobs == 0:
            continue
        if needed is None:
            raise BudgetError(
                f"the {what} of this run are not known beforehand, so it can't be held to a budget "
                f"of {limit:,}"
            )
        if needed > limit:
            raise BudgetError(
                f"the run needs about {needed:{shown}} {what} in {planned.jobs} jobs; the budget "
                f"is {limit:,}: nothing was sent"
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
