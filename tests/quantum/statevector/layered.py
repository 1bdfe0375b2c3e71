"""Layered circuits, and the choice of the executor that runs them."""

from unittest import mock

import numpy as np
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.statevector import engine as statevector

EXECUTORS = {"sweeps": statevector.MAX_SWEEP_QUBITS, "torch": -1}


def running_on(executor):
    """Circuits of at most so many qubits go to the compiled sweeps, the others to torch."""
    return mock.patch.object(statevector, "MAX_SWEEP_QUBITS", EXECUTORS[executor])


def all_paulis(num_qubits):
    rng = np.random.default_rng(num_qubits)
    labels = {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(12)}
    return [SparsePauliOp(label) for label in sorted(labels)]


def layered(n, layers=1):
    """Batched and shared angles on every qubit, entangled in a ring."""
    x, w = ParameterVector("x", n), ParameterVector("w", 2 * n * layers)
    circuit = QuantumCircuit(n)
    for qubit in range(n):
        circuit.ry(x[qubit], qubit)
    for layer in range(layers):
        for qubit in range(n):
            circuit.rz(w[2 * n * layer + 2 * qubit], qubit)
            circuit.rx(w[2 * n * layer + 2 * qubit + 1], qubit)
        for qubit in range(n):
            circuit.cx(qubit, (qubit + 1) % n)
    return circuit, [*x, *w]


def gradients_of(engine, dtype, size=6):
    torch.manual_seed(1)
    n, m = engine.num_batched, engine.program.angles.num_parameters - engine.num_batched
    inputs = torch.randn(size, n, dtype=torch.float64).to(dtype).requires_grad_()
    weights = torch.randn(m, dtype=torch.float64).to(dtype).requires_grad_()
    values = engine.expectations(inputs, weights)
    outer = torch.linspace(-1, 1, values.numel(), dtype=dtype).reshape(values.shape)
    return values, inputs, weights, outer
