"""What costs too much is refused as a whole."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from qvlm_qiskit.errors import BudgetError
from qvlm_qiskit.inference.afford import check_allowance, check_budget
from qvlm_qiskit.jobs import Budget
from qvlm_qiskit.jobs.costs.forecast import Forecast

PLANNED = Forecast(rows=10, known=0, jobs=2, rounds={}, executions=1000, seconds=5.0)


def service(**left):
    known = {"limit_reached": False, "remaining_seconds": None} | left
    return SimpleNamespace(
        charges=True, machine="ibm:one", allowance=lambda: SimpleNamespace(**known)
    )


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Budget(seconds=4.0), "needs about 5.0 QPU s in 2 jobs; the budget is 4.0"),
        (Budget(executions=999), "needs about 1,000 executions"),
    ],
)
def test_a_plan_beyond_the_budget_is_refused(budget, says):
    with pytest.raises(BudgetError, match=says):
        check_budget(budget, PLANNED)


def test_a_plan_within_the_budget_passes_and_so_does_one_that_buys_nothing():
    check_budget(Budget(seconds=5.0, executions=1000), PLANNED)
    check_budget(Budget(seconds=1.0), replace(PLANNED, jobs=0))


def test_unknown_costs_can_not_be_held_to_a_budget():
    with pytest.raises(BudgetError, match="not known beforehand"):
        check_budget(Budget(seconds=9.0), replace(PLANNED, seconds=None))


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ({"limit_reached": True}, "usage limit on ibm:one is reached"),
        ({"remaining_seconds": 4.0}, "the account has 4.0 s left"),
    ],
)
def test_what_the_account_can_not_pay_is_refused(left, says):
    with pytest.raises(BudgetError, match=says):
        check_allowance(service(**left), PLANNED)


def test_what_the_account_can_pay_or_need_not_pay_passes():
    check_allowance(service(remaining_seconds=5.0), PLANNED)
    check_allowance(service(), PLANNED)
    check_allowance(service(limit_reached=True), replace(PLANNED, jobs=0))
    check_allowance(SimpleNamespace(charges=False), PLANNED)
