"""A circuit with every kind of step."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector


def everything(n=3):
    """A circuit with every kind of step and of expression."""
    x, w = ParameterVector("x", n), ParameterVector("w", n)
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(x[q], q)
        circuit.rz((np.pi - x[q]) * (np.pi - x[0]), q)
    circuit.rx(w[0] * w[1], 1)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.swap(1, 2)
    circuit.cz(0, 2)
    circuit.ch(0, 2)
    circuit.rzz(x[0] * w[0], 0, 2)
    circuit.rxx(w[1], 0, 1)
    circuit.ry(w[2] + 1, 0)
    circuit.rx(x[1], 1)
    return circuit, x, w
