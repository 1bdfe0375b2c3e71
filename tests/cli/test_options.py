"""The option groups that several commands share."""

import pytest

from qvlm_qiskit.cli.options import BudgetOptions, LedgerOptions, MachineOptions, QuestionOptions
from qvlm_qiskit.errors import InputError, LedgerError, MitigationError, UnknownNameError
from qvlm_qiskit.jobs import Budget


def test_a_machine_opens_with_its_options_and_the_run_s_seed():
    machine = MachineOptions(backend="noisy:fake_manila", shots=10, mitigation="readout")
    machine.check()
    opened = machine.open(seed=5)
    assert (opened.options.shots, opened.options.mitigation, opened.options.seed) == (
        10, "readout", 5,
    )  # fmt: skip
    assert MachineOptions(seed=3, mitigation=None).open(seed=5).options.seed == 3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"backend": "aerr"}, UnknownNameError),
        ({"mitigation": "magic"}, MitigationError),
        ({"backend": "aer", "noise_scale": 2.0}, InputError),
        ({"shots": 0}, InputError),
    ],
)
def test_a_machine_refuses_before_it_is_opened(options, error):
    with pytest.raises(error):
        MachineOptions(**options).check()


@pytest.mark.parametrize("options", [{"limit": 0}, {"batch": 0}])
def test_no_questions_are_refused(options):
    with pytest.raises(InputError, match="at least 1"):
        QuestionOptions(**options)


def test_a_ledger_is_opened_where_it_is(tmp_path):
    kept = LedgerOptions(store=str(tmp_path / "some jobs"))
    with pytest.raises(LedgerError, match="no ledger"):
        kept.open()
    ledger = kept.open(create=True)
    assert kept.hint(ledger) == f" --store '{ledger.place}'"
    assert LedgerOptions().hint(ledger) == ""


def test_no_limits_are_no_budget():
    assert BudgetOptions().budget() is None
    assert BudgetOptions(budget_executions=5).budget() == Budget(None, 5)
