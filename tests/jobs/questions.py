"""Questions that tests ask a machine and the ledger."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter


def two_qubits(parameters=2):
    circuit = QuantumCircuit(2)
    angles = [Parameter(f"a{i}") for i in range(parameters)]
    for place, angle in enumerate(angles):
        circuit.ry(angle, place % 2)
        circuit.cx(0, 1)
    circuit.h(0)
    return circuit


OBSERVABLES = [["ZI"], ["XX"]]


def bell(offset=0.0):
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a") + offset, 0)
    circuit.cx(0, 1)
    return circuit


def column(*values):
    return np.array(values, dtype=float)[:, None]
