"""Compile the Numba kernels, once per installation; ``make setup`` does."""

from __future__ import annotations

import subprocess
import sys
import time

import torch
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.cpu import single, single_at_once
from qvlm_qiskit.quantum.statevector.cpu.executor import SPLIT_QUBITS
from qvlm_qiskit.quantum.statevector.cpu.kernel_cache import is_compiled
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

_ALONE = single.LOW_BITS, SPLIT_QUBITS
"""Qubits of samples that run on their own: a small one, and one that threads share."""


def warm_up(dtype: torch.dtype = torch.float32) -> float:
    """Compile, or load, everything that a forward and backward pass runs; returns seconds.

    What runs few or large samples is compiled at the same time by a process of its own.
    """
    start = time.perf_counter()
    other = None
    if not is_compiled(single_at_once):
        code = f"import torch; from {__name__} import pass_through; "
        code += "; ".join(f"pass_through({qubits}, {dtype})" for qubits in _ALONE)
        other = subprocess.Popen([sys.executable, "-c", code])
    pass_through(1, dtype)
    if other is not None:
        other.wait()
    # it lies on disk now, unless that process has failed
    for qubits in _ALONE:
        pass_through(qubits, dtype)
    return time.perf_counter() - start


def pass_through(num_qubits: int, dtype: torch.dtype) -> None:
    """One sample forwards and back; of one qubit by the sweeps, of more on its own.

    Those of more have every kind of step that threads share: gates on the lowest and the highest
    qubit, phases, and a permutation.
    """
    circuit = QuantumCircuit(num_qubits)
    angle, last = Parameter("x"), num_qubits - 1
    circuit.ry(angle, 0)
    for qubit in range(1, num_qubits):
        circuit.h(qubit)
    for entangle in (circuit.cx, circuit.cz) if last else ():
        entangle(0, last)
        circuit.ry(angle, 0)
        circuit.ry(angle, last)
    observable = SparsePauliOp("Z" * num_qubits)
    engine = StatevectorEngine(compile_circuit(circuit), [observable], num_batched=1)
    inputs, weights = torch.zeros(1, 1, dtype=dtype, requires_grad=True), torch.zeros(0)
    engine.expectations(inputs, weights.to(dtype)).sum().backward()  # type: ignore[no-untyped-call]
