"""Probabilistic error amplification: stated errors hold, and what is executed was planned."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.mitigation import NoiseAmplified
from qvlm_qiskit.backends.mitigation.names import parse_mitigation
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.errors import MitigationError

DEVICE = "noisy:fake_torino"


@pytest.mark.parametrize(
    ("mitigation", "says"),
    [
        ("pea(learning=0)", "needs a learning budget"),
        ("pec(model=learned,learning=0)", "needs a learning budget"),
        ("pec(learning=5)", "belong to model=learned"),
        ("pec(model=calibrated,learning=0)", "belong to model=learned"),
        ("pec(model=guessed)", "guessed"),
        ("pea(scales=2,3)", "start with 1"),
        ("pea(scales=1,3,2)", "rising"),
        ("pea(scales=1)", "at least 2"),
        ("pea(scales=1,1e300)", "100 times at most"),
        ("pea(scales=1,2,factory=quadratic)", "at least 3"),
        ("pea(factory=exp)", "exp"),
        ("pea(samples=1)", "whole number from 2"),
        ("pea(randomizations=1)", "whole number from 2"),
        ("pea+zne", "same error twice"),
        ("pea+pec(model=learned)", "same error twice"),
    ],
)
def test_what_does_not_work_is_refused_by_name(mitigation, says):
    with pytest.raises(MitigationError, match=says):
        parse_mitigation(mitigation)


@pytest.mark.parametrize("mitigation", ["pea(randomizations=2)", "readout+pea(randomizations=2)"])
def test_what_is_executed_is_what_was_planned_and_learning_is_remembered(mitigation, problem):
    (circuit, _, values), _ = problem
    observables = [["ZII"], ["IZI"], ["ZZI"]]
    backend = open_backend(DEVICE, shots=200, seed=1, mitigation=mitigation)

    def planned():
        asked = {"c": (circuit, observables)}
        return backend.preflight(asked, len(values), mitigations=[mitigation]).levels[0]

    before = planned()
    about = backend.estimator().run([(circuit, observables, values)]).result()[0].metadata
    assert about["calibration_executions"] == before.calibration_executions > 54 * 2 * 512
    assert about["executions"] == before.executions - before.calibration_executions
    again = backend.estimator().run([(circuit, observables, values)]).result()[0].metadata
    assert again["calibration_executions"] == planned().calibration_executions == 0
    entry = about["mitigation"][-1]
    assert entry["technique"] == "pea"
    assert sum(entry["weights"]) == pytest.approx(1)
    assert all(rate > 0 for rate in entry["learned_rates"].values())


def test_learning_beyond_the_budget_is_refused_before_anything_runs(problem):
    backend = open_backend(DEVICE, shots=200, mitigation="pea(learning=300000)")
    with pytest.raises(MitigationError, match=r"layers of this circuit takes .* executions"):
        backend.estimator().run([problem[0]])
    learner = next(x for x in stack_of(backend.estimator()) if isinstance(x, NoiseAmplified))
    assert learner.learner.known == {}


def test_one_layer_is_said_to_be_one():
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    backend = open_backend("noisy:fake_torino", shots=200, mitigation="pea(learning=10)")
    with pytest.raises(MitigationError, match="learning the one layer of this circuit takes"):
        backend.estimator().run([(circuit, "ZZ")])


@pytest.mark.slow
def test_stated_errors_are_those_that_are_made(problem):
    """χ² per value over independent seeds."""
    (circuit, observables, values), _ = problem
    pub = (circuit, observables, values[:2])
    expected = StatevectorEstimator().run([pub]).result()[0].data.evs
    deviations = []
    for seed in range(10):
        backend = open_backend(DEVICE, shots=1000, seed=seed, mitigation="readout+pea")
        found = backend.estimator().run([pub]).result()[0].data
        deviations.append((found.evs - expected) / found.stds)
    assert 0.5 < np.mean(np.square(deviations)) < 1.8
