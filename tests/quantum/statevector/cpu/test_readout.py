import numpy as np
import pytest
from qiskit.quantum_info import Operator, Pauli

from qvlm_qiskit.quantum.statevector.cpu import readout
from tests.quantum.callable_kernels import callable_kernel

measure, walsh, weigh = map(callable_kernel, (readout.measure, readout.walsh, readout.weigh))

LANES = 4
SIGNS = [0, 1, 6, 7]
COEFFICIENTS = np.array([0.5, -1.0, 2.0, 0.25])
COLUMNS = np.array([0, 1, 0, 1])


def tile(states):
    return [np.ascontiguousarray(part).ravel() for part in (states.real, states.imag)]


def random_states(num_qubits):
    rng = np.random.default_rng(num_qubits)
    shape = (1 << num_qubits, LANES)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def operator(x, z, num_qubits):
    bits = [[mask >> q & 1 for q in range(num_qubits)] for mask in (z, x)]
    return Operator(Pauli(tuple(np.array(b, dtype=bool) for b in bits))).data


def test_a_walsh_hadamard_transform_sums_with_all_sign_patterns():
    rows = np.random.default_rng(0).normal(size=(8, LANES))
    signs = [[(-1) ** bin(j & z).count("1") for j in range(8)] for z in range(8)]
    found = rows.copy()
    walsh(found)
    np.testing.assert_allclose(found, np.array(signs) @ rows, atol=1e-12)


@pytest.mark.parametrize("x", [0, 1, 5])
@pytest.mark.parametrize("num_qubits", [3, 7])  # 7 qubits are more than one block
def test_expectation_values_are_those_of_the_pauli_strings(x, num_qubits):
    states = random_states(num_qubits)
    found = np.zeros((2, LANES))
    measure(*tile(states), LANES, x, 0, 4, np.array(SIGNS), COEFFICIENTS, COLUMNS, found)
    expected = np.zeros((2, LANES))
    for z, coefficient, column in zip(SIGNS, COEFFICIENTS, COLUMNS, strict=True):
        image = operator(x, z, num_qubits) @ states
        expected[column] += coefficient * np.sum(states.conj() * image, axis=0).real
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("x", [0, 1, 5])
@pytest.mark.parametrize("num_qubits", [3, 7])
def test_weighted_strings_are_applied_to_the_states(x, num_qubits):
    states = random_states(num_qubits)
    grad = np.random.default_rng(9).normal(size=(2, LANES))
    found = tile(np.zeros_like(states))
    weigh(*tile(states), LANES, x, 0, 4, np.array(SIGNS), COEFFICIENTS, COLUMNS, grad, *found)
    expected = sum(
        coefficient * grad[column] * (operator(x, z, num_qubits) @ states)
        for z, coefficient, column in zip(SIGNS, COEFFICIENTS, COLUMNS, strict=True)
    )
    together = (found[0] + 1j * found[1]).reshape(states.shape)
    np.testing.assert_allclose(together, expected, atol=1e-10)
