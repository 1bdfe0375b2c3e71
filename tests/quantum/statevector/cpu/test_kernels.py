"""The passes over a tile against matrices of NumPy; samples run fastest in a tile."""

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Pauli

from qvlm_qiskit.quantum.statevector.cpu import kernels
from qvlm_qiskit.quantum.statevector.cpu.arrays import STRIDE

QUBITS, LANES = 3, 4
DIM = 1 << QUBITS
X, Z = 0b101, 0b110  # bits of qubits 0 to 2: Y on qubit 2, Z on qubit 1, X on qubit 0


@pytest.fixture
def states():
    rng = np.random.default_rng(2)
    return rng.normal(size=(DIM, LANES)) + 1j * rng.normal(size=(DIM, LANES))


def tile(states):
    return [np.ascontiguousarray(part).ravel() for part in (states.real, states.imag)]


def read(re, im):
    return (re + 1j * im).reshape(DIM, LANES)


def pairs(matrix):
    """(re, im) of the entries, row by row."""
    return np.stack([matrix.real, matrix.imag], axis=-1).ravel()


def on_qubit(matrix, qubit):
    return np.kron(np.eye(1 << (QUBITS - 1 - qubit)), np.kron(matrix, np.eye(1 << qubit)))


def matrices(count):
    rng = np.random.default_rng(3)
    return rng.normal(size=(count, 2, 2)) + 1j * rng.normal(size=(count, 2, 2))


@pytest.mark.parametrize("value", [0, 1, 6, 7, 0xFFFF, 0xF0F0F0F1, 1 << 31])
def test_signs_and_ones_are_those_of_the_bits(value):
    ones = bin(value).count("1")
    assert kernels.ones_of(np.uint64(value)) == ones
    assert kernels.parity_sign(np.uint64(value)) == (-1) ** ones


@pytest.mark.parametrize("qubit", range(QUBITS))
def test_a_matrix_acts_on_its_qubit_of_every_sample(qubit, states):
    (matrix,) = matrices(1)
    re, im = tile(states)
    kernels.apply_one(re, im, 0, re.size, LANES << qubit, pairs(matrix))
    np.testing.assert_allclose(read(re, im), on_qubit(matrix, qubit) @ states, atol=1e-12)


@pytest.mark.parametrize("qubit", range(QUBITS))
def test_every_sample_may_have_a_matrix_of_its_own(qubit, states):
    own = matrices(LANES)
    re, im = tile(states)
    lanes = np.zeros((8, int(STRIDE)))
    lanes[:, :LANES] = np.stack([pairs(matrix) for matrix in own], axis=1)
    kernels.apply_one_batched(re, im, LANES << qubit, LANES, lanes.ravel())
    expected = [on_qubit(m, qubit) @ column for m, column in zip(own, states.T, strict=True)]
    np.testing.assert_allclose(read(re, im), np.stack(expected, axis=1), atol=1e-12)


def test_a_rotation_is_the_exponential_of_its_pauli_string(states):
    angles = np.array([0.3, -1.0, 2.0, 0.0])
    generator = Operator(Pauli((np.array([0, 1, 1], bool), np.array([1, 0, 1], bool)))).data
    re, im = tile(states)
    kernels.apply_rotation(re, im, LANES, X, Z, np.cos(angles / 2), np.sin(angles / 2))
    expected = np.cos(angles / 2) * states - 1j * np.sin(angles / 2) * (generator @ states)
    np.testing.assert_allclose(read(re, im), expected, atol=1e-12)


def test_a_permutation_and_phases_are_taken_back(states):
    table = np.random.default_rng(4).permutation(DIM).astype(np.int32)
    phases = np.exp(1j * np.arange(DIM))
    re, im = tile(states)
    there, back = (np.empty_like(re), np.empty_like(im)), (np.empty_like(re), np.empty_like(im))
    kernels.permute(re, im, LANES, table, *there)
    np.testing.assert_array_equal(read(*there), states[table])
    kernels.apply_phases(*there, LANES, phases, 1)
    np.testing.assert_allclose(read(*there), phases[:, None] * states[table], atol=1e-12)
    kernels.apply_phases(*there, LANES, phases, -1)
    kernels.permute_back(*there, LANES, table, *back)
    np.testing.assert_allclose(read(*back), states, atol=1e-12)


def test_a_dense_matrix_acts_on_the_qubits_of_its_offsets(states):
    matrix = np.kron(*matrices(2))
    re, im = tile(states)
    kernels.apply_dense(re, im, LANES, matrix, np.array([0, 4, 1, 5]))  # qubit 2, then qubit 0
    high, low = matrices(2)
    expected = on_qubit(low, 2) @ on_qubit(high, 0) @ states
    np.testing.assert_allclose(read(re, im), expected, atol=1e-12)
