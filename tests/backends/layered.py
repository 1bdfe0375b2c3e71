"""A small circuit of rotations and CZ for tests of rows on tiles."""

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector


def layered(num_qubits=3):
    circuit = QuantumCircuit(num_qubits)
    angles = iter(ParameterVector("t", 2 * num_qubits))
    for _ in range(2):
        for qubit in range(num_qubits):
            circuit.ry(next(angles), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cz(qubit, qubit + 1)
    return circuit
