"""Angles of rows against the circuit's own parameters, bound by Qiskit one by one."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qvlm_qiskit.quantum.density.binding import AngleBinder
from qvlm_qiskit.quantum.program.program import compile_circuit

X, W = ParameterVector("x", 2), ParameterVector("w", 2)
PARAMETERS = [*X, *W]
EXPRESSIONS = [2 * X[0] - W[1] + 0.5, W[0] / 4, X[1] * W[0], (X[0] * X[1]) / X[1], 0.3 + W[1].sin()]


@pytest.fixture
def binder():
    circuit = QuantumCircuit(1)
    for expression in EXPRESSIONS:
        circuit.rx(expression, 0)
    return AngleBinder(compile_circuit(circuit, PARAMETERS).angles, len(X))


def test_angles_are_those_that_qiskit_binds(binder):
    batched = torch.tensor([[0.3, -1.2], [2.0, 0.7]], dtype=torch.float64)
    shared = torch.tensor([0.9, -0.4], dtype=torch.float64)
    rows = list(range(len(EXPRESSIONS)))
    found = binder.angles(rows, batched, shared).numpy()
    for sample, angles in zip(batched.tolist(), found, strict=True):
        values = dict(zip(PARAMETERS, [*sample, *shared.tolist()], strict=True))
        expected = [
            float(e.bind({p: values[p] for p in e.parameters}).numeric()) for e in EXPRESSIONS
        ]
        np.testing.assert_allclose(angles, expected, atol=1e-12)


def test_rows_that_no_sample_changes_need_no_batch(binder):
    assert [binder.is_batched(row) for row in range(5)] == [True, False, True, True, False]
    assert not binder.is_batched(-1)
    shared = torch.tensor([0.8, 0.1], dtype=torch.float64)
    found = binder.angles([1, -1, 4], None, shared)
    expected = torch.tensor([[0.2, 0.0, 0.3 + np.sin(0.1)]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_angles_have_the_precision_of_the_parameters(binder):
    found = binder.angles([0, 2], torch.rand(3, 2), torch.rand(2))
    assert (found.dtype, found.shape) == (torch.float32, (3, 2))
