"""Which candidate is taken, and the sentence that says why."""

import numpy as np
import pytest
from qiskit.primitives import DataBin, PubResult

from qvlm_qiskit.backends.mitigation.trials import Choice, Trial, best_of, reported


def test_the_cheapest_that_is_not_clearly_worse_wins():
    none, other = np.array([0.10, 0.02, 0.03, 0.05]), np.array([0.04, 0.05, 0.03, 0.04])
    costs = {"none": 100, "zne": 300, "cdr": 200}
    name, why = best_of({"none": none, "zne": other}, costs)
    assert name == "none"
    assert "(100 executions a run)" in why
    assert "within two standard errors" in why
    assert "zne" in why
    name, why = best_of({"none": none + 0.2, "zne": other, "cdr": other + 1e-2}, costs)
    assert name == "zne"
    assert "lowest" in why


def test_what_a_run_costs_is_compared_and_not_what_trying_cost():
    """A technique that learns much once may be the cheaper one from then on."""
    errors = {"zne": np.array([0.04, 0.03, 0.05]), "readout+pec": np.array([0.03, 0.02, 0.03])}
    name, _ = best_of(errors, {"zne": 24_000, "readout+pec": 16_264})
    assert name == "readout+pec"


@pytest.mark.parametrize(("before", "first", "after"), [(5, True, 105), (5, False, 5)])
def test_the_executions_of_a_choice_are_counted_once(before, first, after):
    choice = Choice("none", "it is", 1000, 100, 8, 1, (Trial("none", 0.1, 0.01, 100),))
    answer = PubResult(DataBin(evs=np.zeros(1)), {"calibration_executions": before})
    metadata = reported(answer, choice, first).metadata
    assert metadata["calibration_executions"] == after
    wanted = {"mitigation": "none", "error": 0.1, "standard_error": 0.01, "executions": 100}
    assert metadata["auto"]["trials"] == [{**wanted, "note": "", "per_run": 0}]
