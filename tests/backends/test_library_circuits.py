"""Qiskit's own parametrised circuits through every stack, against `quantum_info`."""

import numpy as np
import pytest

from qvlm_qiskit import open_backend
from qvlm_qiskit.quantum import BatchedEstimatorGradient, TorchEstimator
from tests.backends.library_circuits import CIRCUITS, FUNCTIONS, problem

EXACT = {
    "statevector": {"dtype": "complex128"},
    "aer": {},
    "noisy:depolarizing(0)": {"precision": 0},
}
ODD = ("two p", "global_phase", "expressions", "hidden in an instruction")


def mostly_slow(quick):
    """The table's names; those that are not among the quick ones run in the slow step."""
    return [pytest.param(n, marks=() if n in quick else pytest.mark.slow) for n in CIRCUITS]


@pytest.fixture(scope="module")
def exact():
    return {name: open_backend(name, **options).estimator() for name, options in EXACT.items()}


@pytest.fixture(scope="module")
def fake():
    return open_backend("fake_manila", seed=1, precision=0.03).estimator()


def values(estimator, name):
    circuit, observable, rows, expected = problem(name)
    return estimator.run([(circuit, observable, rows)]).result()[0].data.evs, expected


@pytest.mark.parametrize("name", mostly_slow([*FUNCTIONS, *ODD]))
def test_exact_stacks_have_the_exact_values(exact, name):
    for estimator in exact.values():
        np.testing.assert_allclose(*values(estimator, name), atol=1e-9)


@pytest.mark.parametrize("name", mostly_slow(["two p", "global_phase"]))
def test_a_fake_device_has_them_but_for_its_noise(fake, name):
    np.testing.assert_allclose(*values(fake, name), atol=0.6)


@pytest.mark.parametrize("method", ["param_shift", "adjoint"])
@pytest.mark.parametrize("name", mostly_slow(ODD))
def test_gradients_of_both_methods_agree_with_differences(name, method):
    circuit, observable, rows, _ = problem(name)
    estimator = TorchEstimator(dtype="complex128")
    gradient = BatchedEstimatorGradient(estimator, method)
    found = gradient.run([circuit], [observable], rows[:1]).result().gradients[0]
    steps = np.eye(circuit.num_parameters) * 1e-5
    shifted = np.concatenate([rows[0] + steps, rows[0] - steps])
    evs = estimator.run([(circuit, observable, shifted)]).result()[0].data.evs
    plus, minus = np.split(evs, 2)
    np.testing.assert_allclose(found, (plus - minus) / 2e-5, atol=1e-7)
