"""Fidelity kernels: from states, measured, and as kernels of qiskit-machine-learning."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import zz_feature_map
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import Statevector
from qiskit_machine_learning.algorithms import QSVC
from qiskit_machine_learning.kernels import FidelityStatevectorKernel

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CapacityError, CircuitError, InputError
from qvlm_qiskit.quantum import FidelityKernel, TorchEstimator, fidelity_kernel
from qvlm_qiskit.quantum.readings.fidelity import positive_semidefinite
from tests.quantum.problems import circuits

MAP = zz_feature_map(2)
POINTS = np.random.default_rng(0).uniform(0, 2, (5, 2))
OTHERS = np.random.default_rng(1).uniform(0, 2, (3, 2))


def slow_kernel(circuit, left, right):
    first, second = (
        np.array([Statevector(circuit.assign_parameters(row)).data for row in rows])
        for rows in (left, right)
    )
    return np.abs(first.conj() @ second.T) ** 2


def check_kernel(circuit, seed):
    rng = np.random.default_rng(seed)
    left, right = rng.uniform(-1.5, 1.5, (2, 3, circuit.num_parameters))
    expected = slow_kernel(circuit, left, right[:2])
    rows = torch.as_tensor(left).requires_grad_()
    found = fidelity_kernel(circuit, rows, right[:2]).values
    np.testing.assert_allclose(found.detach(), expected, atol=1e-10)
    if circuit.num_parameters:
        outer = rng.normal(size=expected.shape)
        (found * torch.as_tensor(outer)).sum().backward()
        for column in range(circuit.num_parameters):
            shift = 1e-6 * np.eye(circuit.num_parameters)[column]
            above, below = (slow_kernel(circuit, left + s, right[:2]) for s in (shift, -shift))
            wanted = ((above - below) * outer).sum(1) / 2e-6
            np.testing.assert_allclose(rows.grad[:, column], wanted, atol=1e-6)


def check_measured(circuit, seed):
    left, right = np.random.default_rng(seed).uniform(-1.5, 1.5, (2, 2, circuit.num_parameters))
    measured = fidelity_kernel(circuit, left, right, StatevectorEstimator())
    np.testing.assert_allclose(measured.values, slow_kernel(circuit, left, right), atol=1e-8)
    assert not measured.errors.any()


@settings(max_examples=5, deadline=None, derandomize=True)
@given(circuit=circuits(max_gates=6), seed=st.integers(0, 1000))
def test_measured_kernels_are_those_of_the_slow_twin(circuit, seed):
    check_measured(circuit, seed)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(circuit=circuits(max_gates=12), seed=st.integers(0, 1000))
def test_measured_kernels_are_those_of_the_slow_twin_on_many_circuits(circuit, seed):
    check_measured(circuit, seed)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(circuit=circuits(max_gates=6), seed=st.integers(0, 1000))
def test_kernels_and_slopes_are_those_of_the_slow_twin(circuit, seed):
    check_kernel(circuit, seed)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(circuit=circuits(max_qubits=5, max_gates=16), seed=st.integers(0, 1000))
def test_kernels_and_slopes_are_those_of_the_slow_twin_on_many_circuits(circuit, seed):
    check_kernel(circuit, seed)


@pytest.mark.parametrize(
    "machine", [None, TorchEstimator(dtype="complex128"), open_backend("statevector")]
)
def test_an_exact_matrix_is_symmetric_with_ones_and_comes_from_states(machine):
    found = fidelity_kernel(MAP, POINTS, backend=machine)
    assert torch.equal(found.values, found.values.T)
    assert torch.equal(found.values.diagonal(), torch.ones(5, dtype=torch.float64))
    assert not found.errors.any()
    stock = FidelityStatevectorKernel(feature_map=MAP)
    np.testing.assert_allclose(found.values, stock.evaluate(POINTS), atol=1e-6)
    both = fidelity_kernel(MAP, POINTS, OTHERS, machine).values
    np.testing.assert_allclose(both, stock.evaluate(POINTS, OTHERS), atol=1e-6)


def test_a_machine_measures_every_pair_of_different_points_once(counting_statevector):
    points = np.concatenate([POINTS, POINTS[1:3]])
    found = fidelity_kernel(MAP, points, backend=counting_statevector)
    ((pubs, _),) = counting_statevector.calls
    assert len(pubs) == 1
    assert pubs[0][2].shape == (5 * 4 // 2,)
    np.testing.assert_allclose(found.values, slow_kernel(MAP, points, points), atol=1e-10)
    assert torch.equal(found.values, found.values.T)
    counting_statevector.calls.clear()
    fidelity_kernel(MAP, POINTS[:2], POINTS[1:], counting_statevector)
    ((pubs, _),) = counting_statevector.calls
    # of eight pairs one is equal, and one is there both ways round
    assert pubs[0][2].shape == (7,) or pubs[0][2].shape == (6,)


def test_the_errors_are_the_spread_of_what_is_measured():
    # points that differ, and whose fidelities don't
    points = POINTS[0] + 1e-9 * np.arange(40)[:, None]
    machine = open_backend("noisy:fake_manila", shots=100, seed=0)
    found = fidelity_kernel(MAP, points, OTHERS[:1], machine)
    exact = fidelity_kernel(
        MAP, points[:1], OTHERS[:1], open_backend("noisy:fake_manila", precision=0)
    )
    assert not exact.errors.any()
    assert bool((found.errors > 0).all())
    error = float(found.errors.square().mean().sqrt())
    assert abs(float(found.values.mean() - exact.values)) < 5 * error / 40**0.5
    assert error / 1.5 < float(found.values.std()) < 1.5 * error


@pytest.mark.parametrize("backend", [None, "noisy:fake_manila"])
def test_qsvc_takes_the_kernel(backend):
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(0.4, 0.1, (6, 2)), rng.normal(1.4, 0.1, (6, 2))])
    y = np.repeat([0, 1], 6)
    machine = None if backend is None else open_backend(backend, shots=500, seed=1)
    kernel = FidelityKernel(feature_map=MAP, backend=machine)
    ours = QSVC(quantum_kernel=kernel).fit(x, y)
    assert kernel.errors.shape == (12, 12)
    assert bool(kernel.errors.any()) == (backend is not None)
    assert ours.score(x, y) > 0.9
    if backend is None:
        stock = QSVC(quantum_kernel=FidelityStatevectorKernel(feature_map=MAP)).fit(x, y)
        np.testing.assert_allclose(ours.decision_function(x), stock.decision_function(x), atol=1e-6)


def test_an_indefinite_matrix_is_replaced_by_the_nearest_one():
    matrix = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.9], [0.0, 0.9, 1.0]])
    near = positive_semidefinite(matrix)
    assert np.linalg.eigvalsh(near)[0] > -1e-12
    assert np.linalg.norm(near - matrix) == pytest.approx(-np.linalg.eigvalsh(matrix)[0])
    definite = np.eye(3)
    assert positive_semidefinite(definite) is definite
    assert positive_semidefinite(np.zeros((0, 0))).shape == (0, 0)


@pytest.mark.parametrize("machine", [None, StatevectorEstimator()])
def test_few_points_and_none(machine):
    assert fidelity_kernel(MAP, np.zeros((0, 2)), backend=machine).values.shape == (0, 0)
    assert fidelity_kernel(MAP, POINTS, np.zeros((0, 2)), machine).values.shape == (5, 0)
    one = fidelity_kernel(MAP, [0.1, 0.2], backend=machine).values
    np.testing.assert_allclose(one, [[1.0]])
    single = fidelity_kernel(MAP, POINTS[0], OTHERS, machine).values
    np.testing.assert_allclose(single, slow_kernel(MAP, POINTS[:1], OTHERS), atol=1e-10)


@pytest.mark.parametrize(
    ("points", "others", "words"),
    [
        (np.zeros((2, 3)), None, "X must hold points of 2 numbers"),
        (POINTS, np.zeros((2, 1)), "Y must hold points of 2 numbers"),
        (np.zeros((1, 2, 2)), None, "X must hold points"),
        ([[np.nan, 0.0]], None, "row 0 of the values holds NaN"),
        (POINTS, [[0.0, np.inf]], "row 0 of the values holds NaN"),
    ],
)
def test_points_that_fit_no_circuit_are_refused_in_one_line(points, others, words):
    for machine in (None, StatevectorEstimator()):
        with pytest.raises(InputError, match=words) as caught:
            fidelity_kernel(MAP, points, others, machine)
        assert "\n" not in str(caught.value)


def test_what_can_not_be_measured_is_refused():
    circuit = QuantumCircuit(1)
    circuit.reset(0)
    circuit.rx(ParameterVector("x", 1)[0], 0)
    with pytest.raises(CircuitError, match="no inverse"):
        fidelity_kernel(circuit, [[0.1], [0.2]], backend=StatevectorEstimator())
    wide = zz_feature_map(15)
    with pytest.raises(CapacityError, match="at most 14 qubits"):
        fidelity_kernel(wide, np.eye(15)[:2], backend=StatevectorEstimator())
    with pytest.raises(InputError, match="has no gradient"):
        points = torch.as_tensor(POINTS).requires_grad_()
        fidelity_kernel(MAP, points, backend=StatevectorEstimator())
    with pytest.raises(InputError, match="open backend or a V2 estimator, got str"):
        fidelity_kernel(MAP, POINTS, backend="statevector")


def test_a_barrier_acts_on_no_qubit():
    circuit = QuantumCircuit(20)
    circuit.ry(Parameter("a"), 3)
    circuit.barrier()
    found = fidelity_kernel(circuit, [[0.0], [np.pi]], backend=open_backend("aer"))
    np.testing.assert_allclose(found.values, np.eye(2), atol=1e-6)
