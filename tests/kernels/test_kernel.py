"""Quantum kernels: exact against Qiskit's own kernel, measured, planned, and refused."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorSampler
from qiskit_machine_learning.kernels import FidelityQuantumKernel
from qiskit_machine_learning.state_fidelities import ComputeUncompute
from sklearn.svm import SVC

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.kernels import FEATURE_MAPS, QuantumKernel
from qvlm_qiskit.kernels.feature_maps import feature_map

MACHINE = "noisy:fake_manila"


@pytest.mark.parametrize("name", FEATURE_MAPS)
def test_it_is_the_kernel_that_qiskit_samples(name, rows, others):
    shots = 20_000
    sampled = FidelityQuantumKernel(
        feature_map=feature_map(name, 3),
        fidelity=ComputeUncompute(StatevectorSampler(default_shots=shots, seed=0)),
    )
    found = QuantumKernel(name)(rows[:4], others)
    slow = sampled.evaluate(rows[:4], others)
    np.testing.assert_allclose(found, slow, atol=5 * 0.5 / np.sqrt(shots))
    assert np.ptp(found) > 0.05


def test_it_is_a_kernel_for_scikit_learn(rows, labels, others):
    kernel = QuantumKernel("resource-efficient", scale=0.7)
    learned = SVC(kernel=kernel, C=10).fit(rows, labels)
    precomputed = SVC(kernel="precomputed", C=10).fit(kernel(rows), labels)
    assert np.array_equal(learned.predict(others), precomputed.predict(kernel(others, rows)))


def test_scale_is_one_number_or_one_for_each_feature(rows, others):
    factors = [0.5, 2.0, 1.0]
    found = QuantumKernel(scale=factors)(rows, others)
    np.testing.assert_allclose(found, QuantumKernel()(rows * factors, others * factors))
    with pytest.raises(InputError, match=r"one number or 3, one for each feature, got \(2,\)"):
        QuantumKernel(scale=(1.0, 2.0))(rows)


def test_weights_are_the_parameters_that_are_no_features(rows):
    w, x = ParameterVector("a", 2), ParameterVector("x", 3)
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        circuit.ry(x[qubit], qubit)
    circuit.cx(0, 1)
    circuit.ry(w[1], 1)
    circuit.cx(1, 2)
    circuit.rz(w[0], 2)
    for qubit in range(3):
        circuit.ry(x[qubit], qubit)
    found = QuantumKernel(circuit, weight_params=list(w), weights=[0.3, 0.9])(rows)
    bound = circuit.assign_parameters({w[0]: 0.3, w[1]: 0.9})
    np.testing.assert_allclose(found, QuantumKernel(bound)(rows), atol=1e-12)
    with pytest.raises(InputError, match=r"2 weights in the feature map, got \(1,\)"):
        QuantumKernel(circuit, weight_params=list(w), weights=[0.3])(rows)
    with pytest.raises(InputError, match="has no weights: give a circuit"):
        QuantumKernel(weight_params=list(w), weights=[0.3, 0.9])(rows)


@pytest.mark.parametrize("name", FEATURE_MAPS)
def test_slopes_are_those_of_small_steps(name, rows):
    scale = torch.tensor([0.7, 1.2, 0.4], dtype=torch.float64, requires_grad=True)
    points = torch.as_tensor(rows[:3])

    def entries(factors):
        return QuantumKernel(name, scale=factors).matrix(points).values

    assert torch.autograd.gradcheck(entries, scale)


def test_a_plan_is_what_a_machine_is_asked(rows, counting_statevector):
    points = np.concatenate([rows[:4], rows[1:3]])
    kernel = QuantumKernel("resource-efficient", backend=counting_statevector)
    found = kernel(points)
    plan = kernel.plan(points)
    ((pubs, _),) = counting_statevector.calls
    assert pubs[0][2].shape == (plan.rows,) == (6,)
    np.testing.assert_allclose(found, QuantumKernel("resource-efficient")(points), atol=1e-8)
    assert kernel.plan(rows, rows[:2]).rows == 10 * 2 + 1
    report = open_backend(MACHINE, shots=100).preflight(plan.circuits, plan.rows)
    assert report.fits and report.rows == plan.rows
    assert report.blocks[0].two_qubit_gates >= 2


def test_a_measured_training_matrix_is_made_positive_and_others_are_not(rows, others):
    machine = open_backend(MACHINE, shots=50, seed=1)
    kernel = QuantumKernel("resource-efficient", backend=machine)
    raw = kernel.matrix(rows).values.numpy()
    assert np.linalg.eigvalsh(raw)[0] < -1e-3
    made = kernel(rows)
    assert np.linalg.eigvalsh(made)[0] > -1e-12
    levels, vectors = np.linalg.eigh(raw)
    np.testing.assert_allclose(made, vectors @ np.diag(levels.clip(0)) @ vectors.T, atol=1e-12)
    plain = QuantumKernel("resource-efficient", backend=machine, repair=False)
    np.testing.assert_array_equal(plain(rows), raw)
    between = kernel.matrix(rows, others).values.numpy()
    np.testing.assert_array_equal(kernel(rows, others), between)


def test_what_does_not_fit_is_refused_in_one_line(rows):
    for bad, says in (
        ([[0.1, np.nan, 0.2]], "Input contains NaN"),
        ([0.1, 0.2], "Expected 2D array"),
        (np.zeros((0, 3)), "minimum of 1"),
        ([["a", "b", "c"]], "could not convert string"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            QuantumKernel()(bad)
        assert "\n" not in str(caught.value)
        with pytest.raises(InputError, match=says):
            QuantumKernel()(rows, bad)
    ragged = [[1.0, 2.0], [3.0]]
    for kernel, says in (
        (QuantumKernel(reps=1.5), "reps is a whole number from 1 to 1000, got 1.5"),
        (QuantumKernel(3), "feature_map is one of havlicek, resource-efficient, or a circuit"),
        (QuantumKernel(weights=[0.1]), r"0 weights in the feature map, got \(1,\)"),
        (QuantumKernel(weights=ragged), "weights are numbers"),
        (QuantumKernel(feature_map("havlicek", 3), weight_params=3), "weight_params are"),
    ):
        with pytest.raises(InputError, match=says):
            kernel(rows)
    for points in (ragged, (rows, ragged)):
        with pytest.raises(InputError, match="inhomogeneous"):
            QuantumKernel()(*(points if isinstance(points, tuple) else (points,)))
    with pytest.raises(InputError, match="has 2 features, points have 3"):
        QuantumKernel(feature_map("havlicek", 2))(rows)
    with pytest.raises(UnknownNameError, match="unknown feature map 'zz'"):
        QuantumKernel("zz")(rows)
    with pytest.raises(InputError, match="points of 3 numbers"):
        QuantumKernel()(rows, rows[:, :2])
