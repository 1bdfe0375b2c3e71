r"""Hamiltonians whose energy is minimised, with coefficients that a seed draws.

Each is divided by the sum of the absolute values of its coefficients, so that energies are between
-1 and 1 for every width.

- ``ising``: a chain, :math:`-\sum Z_i Z_{i+1} - \sum X_i + \sum h_i Z_i`, h normal of deviation 1.
- ``glass``: all pairs, :math:`\sum J_{ij} Z_i Z_j / \sqrt n - \sum X_i / 2`, J standard normal:
  Sherrington and Kirkpatrick's, in a transverse field. Its ground states are entangled between
  far qubits, which a matrix-product state of small bond dimension can't hold.
"""

from __future__ import annotations

import zlib
from math import sqrt

import numpy as np
from qiskit.quantum_info import SparsePauliOp
from scipy.sparse.linalg import eigsh

Term = tuple[str, list[int], float]


def hamiltonian(cost: str, qubits: int, seed: int) -> SparsePauliOp:
    """The Hamiltonian of a cost.

    Args:
        cost: "ising" or "glass".
        qubits: n.
        seed: Of its random coefficients.
    """
    rng = np.random.default_rng([zlib.crc32(cost.encode()), qubits, seed])
    terms = (_ising if cost == "ising" else _glass)(qubits, rng)
    found = SparsePauliOp.from_sparse_list(terms, num_qubits=qubits)
    return found / float(np.abs(found.coeffs).sum())


def ground_energy(operator: SparsePauliOp) -> float:
    """The smallest eigenvalue, by Lanczos' method."""
    matrix = operator.to_matrix(sparse=True)
    if matrix.shape[0] <= 16:  # too small for eigsh
        return float(np.linalg.eigvalsh(matrix.toarray())[0])
    start = np.random.default_rng(0).normal(size=matrix.shape[0])
    return float(eigsh(matrix.real, k=1, which="SA", v0=start, return_eigenvectors=False)[0])


def _ising(qubits: int, rng: np.random.Generator) -> list[Term]:
    pairs: list[Term] = [("ZZ", [i, i + 1], -1.0) for i in range(qubits - 1)]
    fields: list[Term] = [("X", [i], -1.0) for i in range(qubits)]
    return [*pairs, *fields, *(("Z", [i], float(rng.normal())) for i in range(qubits))]


def _glass(qubits: int, rng: np.random.Generator) -> list[Term]:
    pairs: list[Term] = [
        ("ZZ", [i, j], float(rng.normal()) / sqrt(qubits))
        for i in range(qubits)
        for j in range(i + 1, qubits)
    ]
    return [*pairs, *(("X", [i], -0.5) for i in range(qubits))]
