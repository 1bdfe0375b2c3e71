"""The way of large circuits, slice by slice, on small ones; and its memory on a large one."""

import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import CCXGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qvlm_qiskit.errors import CapacityError
from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.program import fusion
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector import engine as statevector
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from qvlm_qiskit.quantum.statevector.tensors import executor, readout, steps

P = ParameterVector("p", 6)


def everything():
    """Each kind of step, on qubits in every order."""
    circuit = QuantumCircuit(5)
    for qubit in range(5):
        circuit.ry(P[qubit % 3] + qubit, qubit)
    circuit.cx(3, 1)
    circuit.rzz(P[3], 4, 0)
    circuit.cz(2, 4)
    circuit.rxx(P[1] * P[4], 1, 3)
    circuit.append(CCXGate(ctrl_state=1), [4, 0, 2])
    circuit.unitary(random_unitary(4, seed=3), [3, 0])
    circuit.ryy(P[5], 2, 0)
    circuit.rzx(P[0], 4, 1)
    circuit.rx(P[2], 3)
    circuit.swap(0, 4)
    return circuit


OBSERVABLES = [
    SparsePauliOp(["ZIIII", "IZIZI", "IIIII"], [1.0, -0.5, 0.2]),
    SparsePauliOp(["XIIXI", "YIIXZ", "YZIYI", "XZZYX"], [0.7, 0.3, -1.1, 0.4]),
    SparsePauliOp(["IIIIY", "ZZZZZ"], [1.0, 2.0]),
]


@pytest.fixture
def large():
    """Everything counts as large."""
    with (
        mock.patch.object(statevector, "MAX_SWEEP_QUBITS", -1),
        mock.patch.object(fusion, "MAX_PLAN_QUBITS", -1),
        mock.patch.object(executor, "MAX_TABLE_QUBITS", -1),
        mock.patch.object(steps, "MAX_TABLE_QUBITS", -1),
        mock.patch.object(readout, "TABLE_ENTRIES", 0),
    ):
        yield


@pytest.mark.parametrize("num_batched", [0, 3, 6])
@pytest.mark.usefixtures("large")
def test_values_are_the_twins(twin, engine, num_batched):
    rows = np.random.default_rng(1).uniform(-2, 2, (3 if num_batched else 1, 6))
    rows[:, num_batched:] = rows[0, num_batched:]
    expected = twin(everything(), OBSERVABLES, rows, list(P))
    found = engine(everything(), OBSERVABLES, rows, list(P), num_batched)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.usefixtures("large")
def test_gradients_are_differences(twin_jacobian):
    row = np.random.default_rng(2).uniform(-2, 2, 6)
    compiled = StatevectorEngine(compile_circuit(everything(), list(P)), OBSERVABLES, 3)
    x, w = torch.as_tensor(row[:3]), torch.as_tensor(row[3:])
    found = torch.autograd.functional.jacobian(
        lambda x, w: compiled.expectations(x[None], w)[0], (x, w)
    )
    expected = twin_jacobian(everything(), OBSERVABLES, row, list(P))
    np.testing.assert_allclose(torch.cat(found, dim=-1), expected, atol=1e-6)


def test_a_circuit_that_does_not_fit_is_refused_by_the_machines_memory(monkeypatch):
    # three states of 16 bytes
    monkeypatch.setattr("qvlm_qiskit.basics.computer.memory.memory_bytes", lambda: 48 << 3)
    circuit = QuantumCircuit(4)
    circuit.h(range(4))
    with pytest.raises(CapacityError, match=r"acts on 4 qubits.*at most 3 "):
        StatevectorEngine(compile_circuit(circuit), [SparsePauliOp("ZZZZ")], 0)


PEAK = """
import resource, sys, torch
from tests.quantum.statevector.tensors.test_large import values_at
values_at(4)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert abs(values_at(24) - values_at(4)) < 1e-4
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (8 << 24))
"""


def values_at(num_qubits):
    """The first value of a circuit whose values don't depend on its width."""
    a, circuit = Parameter("a"), QuantumCircuit(num_qubits)
    circuit.ry(a, range(num_qubits))
    for qubit in (0, num_qubits - 2):
        circuit.cx(qubit, qubit + 1)
        circuit.rzz(a, qubit, qubit + 1)
        circuit.rx(a / 2, qubit)
    pairs = [("ZX", [q, q + 1], 1.0) for q in (0, num_qubits - 2)]
    singles = [("Z", [q], 1.0) for q in range(num_qubits)]
    observables = [[SparsePauliOp.from_sparse_list([t], num_qubits)] for t in pairs + singles]
    evs = TorchEstimator().run([(circuit, observables, [0.4])]).result()[0].data.evs
    return float(evs.ravel()[0])


@pytest.mark.slow
def test_24_qubits_take_three_states():
    made = subprocess.run(
        [sys.executable, "-c", PEAK], capture_output=True, text=True, check=True, timeout=600
    )
    assert float(made.stdout) < 3.2
