import numpy as np
import pytest
from qiskit.quantum_info import PTM, Operator, random_unitary

from qvlm_qiskit.basics.pauli_transfer import pauli_strings, unitary_ptm


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_matrix_of_a_unitary_is_qiskits(width):
    unitary = random_unitary(2**width, seed=width)
    np.testing.assert_allclose(unitary_ptm(unitary.data), PTM(Operator(unitary)).data, atol=1e-12)


def test_the_first_qubit_is_the_least_significant_digit():
    x_on_qubit_0 = np.kron(np.eye(2), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(pauli_strings(2)[1], x_on_qubit_0)
