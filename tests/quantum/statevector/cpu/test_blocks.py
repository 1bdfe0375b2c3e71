"""Runs of gates through blocks against the gates one by one; vectors against matrices."""

import numpy as np
import pytest

from qvlm_qiskit.quantum.statevector.cpu import blocks, kernels, vectors


def parts(size, count, seed=0):
    return [*np.random.default_rng(seed).normal(size=(count, size))]


def gates(count):
    """Random unitary matrices as (re, im) of their entries, and their inverses."""
    rng = np.random.default_rng(1)
    made, inverse = np.empty((count, 8)), np.empty((count, 8))
    for g in range(count):
        matrix, _ = np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))
        for rows, m in ((made, matrix), (inverse, matrix.conj().T)):
            rows[g, 0::2], rows[g, 1::2] = m.ravel().real, m.ravel().imag
    return made, inverse


def one_by_one(states, qubits, matrices):
    re, im = (part.copy() for part in states)
    for qubit, matrix in zip(qubits, matrices, strict=True):
        kernels.apply_one(re, im, 0, re.size, 1 << qubit, matrix)
    return re, im


@pytest.mark.parametrize("num_qubits", [3, 6, 11, 15])
def test_a_run_is_its_gates_one_by_one(num_qubits):
    qubits = np.random.default_rng(num_qubits).permutation(num_qubits)
    matrices, _ = gates(num_qubits)
    re, im = parts(1 << num_qubits, 2)
    expected = one_by_one((re, im), qubits, matrices)
    blocks.run(re, im, qubits, matrices, np.empty((2, 1 << blocks.BLOCK_BITS)))
    np.testing.assert_allclose((re, im), expected, atol=1e-11)


@pytest.mark.parametrize("qubits", [(0,), (2, 5), (1, 7, 0), (14, 3, 13)])
def test_the_way_back_undoes_a_run_and_collects_what_its_gates_have_changed(qubits):
    matrices, inverse = gates(len(qubits))
    size = 1 << 15 if max(qubits) > 7 else 1 << 8
    before, after = parts(size, 2), parts(size, 2, seed=2)
    psi = one_by_one(before, qubits, matrices)
    lam, k = [part.copy() for part in after], np.zeros((len(qubits), 8))
    scratch = np.empty((4, 1 << blocks.BLOCK_BITS))
    blocks.run_back(*psi, *lam, np.array(qubits), inverse, scratch, k)
    np.testing.assert_allclose(psi, before, atol=1e-11)
    np.testing.assert_allclose(lam, one_by_one(after, qubits, inverse), atol=1e-11)
    for g, qubit in enumerate(qubits):
        # λ after and ψ before this gate: its own is applied to λ again
        there = one_by_one(lam, [qubit], matrices[g : g + 1])
        split = (size >> (qubit + 1), 2, 1 << qubit)
        left, right = ((a + 1j * b).reshape(split) for a, b in (there, before))
        expected = np.einsum("iaj,ibj->ab", left.conj(), right).ravel()
        np.testing.assert_allclose(k[g, 0::2] + 1j * k[g, 1::2], expected, rtol=1e-9, atol=1e-9)


def test_a_vector_without_gates_is_left_alone():
    table = np.empty((3, 4, 8))
    vectors.set_identities(table)
    re, im = parts(16, 2)
    expected = re.copy(), im.copy()
    vectors.turn_all(re, im, 0, 16, table)
    np.testing.assert_array_equal((re, im), expected)
