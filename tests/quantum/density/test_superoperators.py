import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, SparsePauliOp

from qvlm_qiskit.basics.pauli_transfer import unitary_ptm
from qvlm_qiskit.quantum.density.superoperators import rotation_ptm, swapped
from qvlm_qiskit.quantum.program.operations import PauliRotation


def test_superoperators_are_those_of_the_gates():
    rng = np.random.default_rng(0)
    for x, z in ((1, 0), (0, 1), (1, 1), (3, 0), (2, 1), (3, 3), (1, 2)):
        rotation = PauliRotation(x, z, 0)
        qubits, parts = rotation_ptm(rotation)
        label = "".join(
            {(0, 0): "I", (1, 0): "X", (0, 1): "Z", (1, 1): "Y"}[x >> q & 1, z >> q & 1]
            for q in reversed(qubits)
        )
        angle = rng.uniform(-3, 3)
        generator = Operator(SparsePauliOp(label)).data
        matrix = np.cos(angle / 2) * np.eye(len(generator)) - 1j * np.sin(angle / 2) * generator
        whole = parts[0] + np.cos(angle) * parts[1] + np.sin(angle) * parts[2]
        np.testing.assert_allclose(whole, unitary_ptm(matrix), atol=1e-12)
    gate = QuantumCircuit(2)
    gate.cx(0, 1)
    turned = QuantumCircuit(2)
    turned.cx(1, 0)
    first, second = (unitary_ptm(Operator(circuit).data) for circuit in (gate, turned))
    np.testing.assert_allclose(swapped(first), second, atol=1e-12)
