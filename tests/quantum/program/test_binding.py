"""Angles of rows against the circuit's own parameters, bound by Qiskit one by one."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.program import binding
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.binding import AngleMap
from qvlm_qiskit.quantum.program.program import compile_circuit

X, W = ParameterVector("x", 2), ParameterVector("w", 2)
PARAMETERS = [*X, *W]
EXPRESSIONS = [2 * X[0] - W[1] + 0.5, W[0] / 4, X[1] * W[0], (X[0] * X[1]) / X[1], 0.3 + W[1].sin()]
BATCHED = torch.tensor([[0.3, -1.2], [2.0, 0.7]], dtype=torch.float64)
SHARED = torch.tensor([0.9, -0.4], dtype=torch.float64)


def table_of(expressions):
    circuit = QuantumCircuit(1)
    for expression in expressions:
        circuit.rx(expression, 0)
    return compile_circuit(circuit, PARAMETERS).angles


def bound(expression, values):
    return float(expression.bind({p: values[p] for p in expression.parameters}).numeric())


@pytest.mark.parametrize("dense", [0, 1 << 16])
def test_angles_are_those_that_qiskit_binds(monkeypatch, dense):
    monkeypatch.setattr(binding, "DENSE_ENTRIES", dense)
    monkeypatch.setattr(binding, "DENSE_SHARE", bool(dense))
    angles = AngleMap(table_of(EXPRESSIONS), range(len(EXPRESSIONS)), len(X))
    found = angles(BATCHED, SHARED).numpy()
    for sample, row in zip(BATCHED.tolist(), found, strict=True):
        values = dict(zip(PARAMETERS, [*sample, *SHARED.tolist()], strict=True))
        np.testing.assert_allclose(row, [bound(e, values) for e in EXPRESSIONS], atol=1e-12)
    x, w = BATCHED.clone().requires_grad_(), SHARED.clone().requires_grad_()
    assert torch.autograd.gradcheck(angles, (x, w))


def test_rows_that_no_sample_changes_need_no_batch():
    angles = AngleMap(table_of(EXPRESSIONS), [1, -1, 4], len(X))
    found = angles(None, torch.tensor([0.8, 0.1], dtype=torch.float64))
    expected = torch.tensor([[0.2, 0.0, 0.3 + np.sin(0.1)]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_angles_are_doubles_whatever_the_parameters_are():
    angles = AngleMap(table_of([X[0] * 3 + W[0] / 7, X[0] * W[1]]), [0, 1], len(X))
    batched, shared = torch.rand(3, 2) * 1e7, torch.rand(2)
    found = angles(batched, shared)
    torch.testing.assert_close(found, angles(batched.double(), shared.double()), atol=0, rtol=0)
    assert found.dtype == torch.float64


def test_skipped_inputs_are_not_asked_for():
    angles = AngleMap(table_of([2 * X[1] + W[0], X[1] * W[1]]), [0, 1], len(X), skipped=1)
    torch.testing.assert_close(
        angles(BATCHED[:, 1:], SHARED),
        torch.stack([2 * BATCHED[:, 1] + 0.9, -0.4 * BATCHED[:, 1]], dim=1),
    )


@pytest.mark.parametrize("by_sample", [False, True])
def test_a_map_takes_memory_by_its_entries(by_sample):
    size = 30_000
    slopes = [{i: 0.5} for i in range(size)]
    angles = AngleMap(AngleTable(size, slopes, [0.0] * size), range(size), by_sample * size)
    values = torch.arange(size, dtype=torch.float64)
    batched, shared = (values[None], values[:0]) if by_sample else (None, values)
    torch.testing.assert_close(angles(batched, shared)[0], values / 2)


def test_many_angles_of_one_formula_are_evaluated_together():
    angles = AngleMap(table_of([X[0] * W[i % 2] for i in range(20)]), range(20), len(X))
    assert len(angles._groups) == 1


@pytest.mark.parametrize(
    "expression, value, expected",
    [
        # Qiskit, too, leaves the real numbers on the way
        (((X[0] - 1) ** 0.5) ** 2, 0.25, -0.75),
        ((X[0].log() * 0.5).exp() ** 2, -0.5, -0.5),
        (X[0].log(), -1.0, None),
        (X[0].arcsin(), 1.5, None),
        (X[0] ** 0.5, -1.0, None),
        (1 / X[0], 0.0, None),
        (X[0] * X[0] / X[0], 0.0, None),
    ],
)
def test_an_angle_is_real_or_refused(expression, value, expected):
    angles = AngleMap(table_of([X[1] * 2, expression]), [0, 1], len(X))
    rows = torch.tensor([[0.5, 0.0], [value, 0.0]], dtype=torch.float64)
    if expected is None:
        with pytest.raises(CircuitError, match="is not a real number") as caught:
            angles(rows, SHARED)
        assert str(expression) in str(caught.value)
        return
    np.testing.assert_allclose(angles(rows, SHARED)[1, 1], expected, atol=1e-12)
    x = rows[1:].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: angles(x, SHARED), x)


def test_an_angle_of_complex_numbers_alone_is_refused_when_it_is_compiled():
    a = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.rx(a * 1j, 0)
    with pytest.raises(CircuitError, match="must be real"):
        compile_circuit(circuit)
    circuit = QuantumCircuit(1)
    circuit.rx(1j * a * 1j + 1, 0)
    assert compile_circuit(circuit).angles.coefficients == [{0: -1.0}]


AFFINE = [2 * X[0] - W[1] + 0.5, W[0] / 4, X[1], X[1] + 0 * W[0], 0.25 - X[0] - X[1]]


@pytest.mark.parametrize("dense", [0, 1 << 16])
@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4], [2, 3], [2], [0, -1], [1]])
def test_arrays_are_mapped_and_their_slopes_pulled_back_as_tensors_are(monkeypatch, dense, rows):
    monkeypatch.setattr(binding, "DENSE_ENTRIES", dense)
    monkeypatch.setattr(binding, "DENSE_SHARE", bool(dense))
    angles = AngleMap(table_of(AFFINE), rows, len(X))
    x, w = BATCHED.clone().requires_grad_(), SHARED.clone().requires_grad_()
    expected = angles(x, w)
    np.testing.assert_allclose(angles.numbers(BATCHED.numpy(), SHARED.numpy()), expected.detach())
    slopes = np.random.default_rng(0).normal(size=expected.shape)
    by_x, by_w = torch.autograd.grad(
        expected, (x, w), torch.from_numpy(slopes), allow_unused=True, materialize_grads=True
    )
    if angles.reads_inputs:
        np.testing.assert_allclose(angles.pull_inputs(slopes), by_x, atol=1e-14)
    np.testing.assert_allclose(angles.pull_weights(slopes.sum(axis=0)), by_w, atol=1e-14)


def test_parameters_as_they_are_keep_their_precision_and_others_become_doubles():
    single = BATCHED.float().numpy()
    weights = SHARED.float().numpy()
    assert AngleMap(table_of([X[1], X[0]]), [0, 1], 2).numbers(single, weights).dtype == np.float32
    assert AngleMap(table_of([2 * X[1]]), [0], 2).numbers(single, weights).dtype == np.float64


def test_an_array_of_angles_beyond_the_largest_number_is_refused():
    angles = AngleMap(table_of([10 * X[0]]), [0], len(X))
    with pytest.raises(CircuitError, match="larger than the largest number"):
        angles.numbers(np.array([[1e308, 0.0]]), SHARED.numpy())
    assert np.isnan(angles.numbers(np.array([[np.nan, 0.0]]), SHARED.numpy())).all()
