"""Compile the Numba kernels, once per installation; ``make setup`` does."""

from __future__ import annotations

import time

import torch
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine


def warm_up(dtype: torch.dtype = torch.float32) -> float:
    """Compile, or load, everything that a forward and backward pass runs; returns seconds."""
    start = time.perf_counter()
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("x"), 0)
    engine = StatevectorEngine(compile_circuit(circuit), [SparsePauliOp("Z")], num_batched=1)
    inputs, weights = torch.zeros(1, 1, dtype=dtype, requires_grad=True), torch.zeros(0)
    engine.expectations(inputs, weights.to(dtype)).sum().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start
