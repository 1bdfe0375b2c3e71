"""Kernel–target alignment: its value, and that training raises it."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels import GaussianKernel, QuantumKernel, align, target_alignment
from qvlm_qiskit.kernels.alignment import signs


def test_it_is_the_cosine_between_kernel_and_labels():
    y = np.array([1.0, -1, 1, -1, -1])
    random = np.random.default_rng(0).normal(size=(5, 5))
    kernel = random @ random.T
    outer = np.outer(y, y)
    expected = (kernel * outer).sum() / np.linalg.norm(kernel) / np.linalg.norm(outer)
    found = target_alignment(torch.as_tensor(kernel), torch.as_tensor(y))
    assert float(found) == pytest.approx(expected)
    assert float(target_alignment(torch.as_tensor(outer), torch.as_tensor(y))) == pytest.approx(1)
    centring = np.eye(5) - 0.2
    centred = target_alignment(
        torch.as_tensor(centring @ kernel @ centring), torch.as_tensor(y - y.mean())
    )
    again = target_alignment(torch.as_tensor(kernel), torch.as_tensor(y - y.mean()), centred=True)
    assert float(again) == pytest.approx(float(centred))


def test_scales_are_trained_to_be_aligned(rows, labels):
    found = align(QuantumKernel(scale=1.0), rows, labels, steps=15)
    assert found.after > found.before + 0.05
    assert found.after == max(found.history) and found.before == found.history[0]
    matrix = torch.as_tensor(found.kernel(rows))
    assert float(target_alignment(matrix, signs(labels))) == pytest.approx(found.after)
    assert all(scale > 0 for scale in found.kernel.scale)


def test_weights_are_trained_beside_scales(rows, numbers):
    x, w = ParameterVector("x", 3), ParameterVector("w", 3)
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        circuit.ry(x[qubit], qubit)
        circuit.rx(w[qubit], qubit)
    circuit.cz(0, 1)
    circuit.cz(1, 2)
    for qubit in range(3):
        circuit.ry(x[qubit], qubit)
    kernel = QuantumKernel(circuit, weight_params=list(w), weights=[0.4, 0.2, 0.3])
    found = align(kernel, rows, numbers, steps=10, numbers=True)
    assert found.after > found.before
    assert np.abs(np.subtract(found.kernel.weights, [0.4, 0.2, 0.3])).max() > 0.05


def test_what_cannot_be_aligned_is_refused(rows, labels, counting_statevector):
    with pytest.raises(InputError, match="one class only"):
        align(QuantumKernel(), rows, np.zeros(12, dtype=int))
    with pytest.raises(InputError, match="of two classes, there are 12"):
        align(QuantumKernel(), rows, np.arange(12))
    with pytest.raises(InputError, match="all targets are the same"):
        align(QuantumKernel(), rows, np.ones(12), numbers=True)
    with pytest.raises(InputError, match="scale of 0"):
        align(QuantumKernel(scale=(0.0, 1.0, 1.0)), rows, labels)
    with pytest.raises(InputError, match="one number or 3, one for each feature"):
        align(QuantumKernel(scale=(1.0, 2.0)), rows, labels)
    with pytest.raises(InputError, match="kernel is a QuantumKernel or a GaussianKernel, got 3"):
        align(3, rows, labels)
    with pytest.raises(InputError, match="has no gradient"):
        align(QuantumKernel(backend=counting_statevector), rows, labels)


def test_alignment_has_no_unit():
    """Squares of 1e±200 are no numbers."""
    kernel, targets = torch.tensor([[1.0, 0.2], [0.2, 1.0]]).double(), torch.tensor([1.0, -0.5])
    plain = target_alignment(kernel, targets)
    for power in (-900, -500, 500, 900):
        unit = 2.0**power
        assert target_alignment(kernel * unit, targets.double() * unit) == plain


@pytest.mark.parametrize(("matrix", "targets", "says"), [
    (torch.eye(3), torch.ones(2), r"\(N, N\) and N targets are aligned, got \(3, 3\) and \(2,\)"),
    (torch.eye(2) * torch.nan, torch.ones(2), "NaN or infinity"),
    (torch.eye(2), torch.zeros(2), "without differences"),
    (torch.ones(2, 2), torch.ones(2), "without differences"),
])  # fmt: skip
def test_what_has_no_alignment_is_refused(matrix, targets, says):
    with pytest.raises(InputError, match=says):
        target_alignment(matrix, targets, centred=bool(matrix.all()))


@pytest.mark.parametrize(("options", "says"), [
    ({"steps": -1}, "steps is a whole number from 0 to 1000000, got -1"),
    ({"steps": 1.5}, "steps is a whole number from 0 to 1000000, got 1.5"),
    ({"learning_rate": float("nan")}, "learning_rate must be positive and finite"),
])  # fmt: skip
def test_steps_and_rates_that_train_nothing_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        align(QuantumKernel(), np.eye(4), [0, 1, 0, 1], **options)


@pytest.mark.parametrize(("scale", "says"), [
    (float("nan"), "scale must be finite"),
    ("a", "scale is one number or one for each feature, got 'a'"),
])  # fmt: skip
@pytest.mark.parametrize("kind", [QuantumKernel, GaussianKernel])
def test_scales_that_are_no_numbers_are_refused(kind, scale, says):
    with pytest.raises(InputError, match=says):
        kind(scale=scale)(np.eye(3))
