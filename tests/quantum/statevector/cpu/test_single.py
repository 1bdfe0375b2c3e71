"""Samples that are run one after the other, against torch operations and against tiles of them."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum import AmplitudeEncoding
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.cpu import executor, single
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.statevector.layered import EXECUTORS, all_paulis, running_on


def everything(n):
    """Every kind of pass: runs of gates, rotations, permutations, matrices, diagonals."""
    x, w = ParameterVector("x", n), ParameterVector("w", 3 * n + 3)
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(x[q], q)
        circuit.rz(w[q], q)
    for q in range(n):
        circuit.cx(q, (q + 1) % n)
    for q in range(n):
        circuit.rx(w[n + q], q)
        circuit.rz(w[2 * n + q] + x[q], q)
    circuit.rzz(w[3 * n], 0, n - 1)
    circuit.rxx(w[3 * n + 1], 1, 3)
    circuit.ryy(w[3 * n + 2] + x[0], n - 2, n - 1)
    circuit.cz(0, n - 1)
    circuit.ch(n - 1, 1)
    for q in range(1, n, 2):
        circuit.ry(w[q], q)
    return circuit, [*x, *w]


def found(engine, inputs, weights, outer):
    values = engine.expectations(inputs, weights)
    return values, *torch.autograd.grad((values * outer).sum(), (inputs, weights))


def problem(engine, size):
    torch.manual_seed(size)
    count = engine.program.angles.num_parameters - engine.num_batched
    inputs = torch.randn(size, engine.num_batched, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(count, dtype=torch.float64, requires_grad=True)
    return inputs, weights, torch.randn(size, engine.num_observables, dtype=torch.float64)


@pytest.mark.parametrize("num_qubits", [5, 6, 9, 14])
@pytest.mark.parametrize("size", [1, 3])
def test_values_and_gradients_are_those_of_torch_operations(num_qubits, size):
    circuit, parameters = everything(num_qubits)
    observables = [*all_paulis(num_qubits)[:4], SparsePauliOp("Z" * num_qubits)]
    engine = StatevectorEngine(compile_circuit(circuit, parameters), observables, num_qubits)
    assert engine.cpu_executor.lanes(np.dtype(np.float64), size) == 1
    given = problem(engine, size)
    with running_on("torch"):
        expected = found(engine, *given)
    assert EXECUTORS["sweeps"] >= num_qubits
    torch.testing.assert_close(found(engine, *given), expected, atol=1e-11, rtol=0)


def test_tiles_and_single_samples_give_the_same(monkeypatch):
    circuit, parameters = everything(7)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(7), 7)
    given = problem(engine, 12)
    tiles = found(engine, *given)
    monkeypatch.setattr(executor, "SINGLE_QUBITS", single.LOW_BITS)
    torch.testing.assert_close(found(engine, *given), tiles, atol=1e-11, rtol=0)


def test_loaded_amplitudes_get_their_gradient():
    angles = ParameterVector("a", 31)
    circuit = QuantumCircuit(5)
    circuit.append(AmplitudeEncoding(list(angles)), range(5))
    for q in range(5):
        circuit.cx(q, (q + 1) % 5)
    engine = StatevectorEngine(compile_circuit(circuit, [*angles]), all_paulis(5), 31)
    rows = torch.linspace(-1, 2, 64, dtype=torch.float64).reshape(2, 32).requires_grad_()
    none = rows.new_zeros(2, 0), rows.new_zeros(0)
    results = []
    for name in EXECUTORS:
        with running_on(name):
            values = engine.expectations(*none, rows)
            results.append((values, *torch.autograd.grad(values.square().sum(), rows)))
    torch.testing.assert_close(*results, atol=1e-12, rtol=0)
