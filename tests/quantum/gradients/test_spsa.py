"""The promise of the method "spsa" of batched gradients: its mean, its variance and its price."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.primitives import EstimatorV2 as AerEstimator

from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient

P = ParameterVector("p", 5)
O1, O2 = SparsePauliOp("IZ"), SparsePauliOp(["XX", "ZI"], [0.5, 2.0])
VALUES = np.random.default_rng(0).uniform(-1, 1, (2, 5))


def ansatz():
    circuit = QuantumCircuit(2)
    circuit.ry(P[0], 0)
    circuit.ry(P[1], 1)
    circuit.cx(0, 1)
    circuit.rx(P[2], 0)
    circuit.crx(P[3] * 2, 0, 1)
    circuit.ry(P[4], 1)
    return circuit


REQUEST = ([ansatz()] * 4, [O1, O1, O2, O2], np.tile(VALUES, (2, 1)))


def run(method, request=REQUEST, estimator=None, **options):
    estimator = TorchEstimator(dtype="complex128") if estimator is None else estimator
    job = BatchedEstimatorGradient(estimator, method, **options).run(*request)
    return np.array(job.result().gradients)


def test_the_mean_converges_to_the_gradient():
    exact = run("param_shift")
    samples = 4000
    mean = run("spsa", samples=samples, epsilon=1e-3, seed=4)
    # the variance that the class states, without sampling noise
    others = (exact**2).sum(axis=1, keepdims=True) - exact**2
    np.testing.assert_array_less(np.abs(mean - exact), 4 * np.sqrt(others / samples) + 1e-5)


@pytest.mark.slow
def test_the_variance_is_the_stated_one():
    exact = run("param_shift")
    single = np.array([run("spsa", epsilon=1e-3, seed=seed) for seed in range(300)])
    others = (exact**2).sum(axis=1, keepdims=True) - exact**2
    np.testing.assert_allclose(single.var(axis=0), others, rtol=0.5, atol=1e-3)


def test_the_bias_is_quadratic_in_epsilon():
    """One parameter has no variance."""
    request = ([ansatz()], [O1], VALUES[:1], [[P[0]]])
    exact = run("param_shift", request)
    errors = [abs(run("spsa", request, epsilon=e) - exact).max() for e in (0.2, 0.1)]
    assert 3.8 < errors[0] / errors[1] < 4.2


@pytest.mark.parametrize(("samples", "vectors"), [(1, 2), (7, 2), (3, 1)])
def test_two_rows_per_sample_in_one_pub(counting_statevector, samples, vectors):
    circuit = QuantumCircuit(2)
    for parameter in ParameterVector("many", 30):  # so many that no two perturbations coincide
        circuit.ry(parameter, 0)
    values = np.random.default_rng(1).normal(size=(vectors, 30))
    request = ([circuit] * 2 * vectors, [O1, O2] * vectors, np.repeat(values, 2, axis=0))
    run("spsa", request, counting_statevector, samples=samples, seed=0)
    ((pubs, _),) = counting_statevector.calls
    assert len(pubs) == 1
    assert pubs[0][2].shape == (2 * samples * vectors,)


def test_rows_that_coincide_are_sent_once(counting_statevector):
    request = ([ansatz()], [O1], VALUES[:1], [[P[0]]])
    run("spsa", request, counting_statevector, samples=50)
    assert counting_statevector.calls[0][0][0][2].shape == (2,)


def test_only_wanted_parameters_are_perturbed(counting_statevector):
    request = ([ansatz()] * 2, [O1, O1], VALUES, [[P[3], P[1]], []])
    got = BatchedEstimatorGradient(counting_statevector, "spsa", samples=3, seed=1)
    first, second = got.run(*request).result().gradients
    rows = counting_statevector.calls[0][0][0][2].as_array()
    moved = np.abs(rows - VALUES[0])
    np.testing.assert_allclose(moved[:, [0, 2, 4]], 0)
    np.testing.assert_allclose(moved[:, [1, 3]], 0.1)
    assert (first.shape, second.shape) == ((2,), (0,))


def test_the_seed_decides():
    same = [run("spsa", seed=3), run("spsa", seed=3)]
    np.testing.assert_array_equal(*same)
    assert np.abs(run("spsa", seed=4) - same[0]).max() > 1e-3
    gradient = BatchedEstimatorGradient(TorchEstimator(), "spsa", seed=3)
    first, second = (gradient.run(*REQUEST).result().gradients for _ in range(2))
    assert not np.array_equal(first, second)


def test_parameters_that_aer_does_not_see_are_seen():
    options = {"samples": 5, "epsilon": 0.1, "seed": 2}
    ours = run("spsa", estimator=AerEstimator(), **options)
    np.testing.assert_allclose(ours, run("spsa", **options), atol=1e-8)
