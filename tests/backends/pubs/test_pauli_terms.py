"""Pauli terms of an observable, and few measurements that serve them."""

import itertools

import numpy as np
from qiskit.quantum_info import Operator, SparseObservable, SparsePauliOp

from qvlm_qiskit.backends.pubs.pauli_terms import group_qubit_wise, pauli_terms


def terms_of(*labels):
    return [next(iter(pauli_terms(SparseObservable(label)))) for label in labels]


def test_the_terms_add_up_to_the_observable_projectors_included():
    observable = SparseObservable.from_list([("0X", 0.5), ("r1", -1.0), ("ZI", 0.25)])
    terms = pauli_terms(observable)
    total = sum(
        c * SparsePauliOp.from_sparse_list([("".join(p for _, p in t), [q for q, _ in t], 1.0)], 2)
        for t, c in terms.items()
    )
    zero, one, plus_i = np.diag([1, 0]), np.diag([0, 1]), np.array([[1, -1j], [1j, 1]]) / 2
    x, z = np.array([[0, 1], [1, 0]]), np.diag([1, -1])
    expected = 0.5 * np.kron(zero, x) - np.kron(plus_i, one) + 0.25 * np.kron(z, np.eye(2))
    np.testing.assert_allclose(Operator(total).data, expected, atol=1e-12)


def test_every_term_is_in_one_group_whose_basis_measures_it():
    terms = terms_of("ZZI", "IZZ", "XXI", "IXX", "ZIX", "YYY", "IIZ")
    groups = group_qubit_wise([*terms, ()])
    assert sorted(term for group in groups for term in group.terms) == sorted(terms)
    for group in groups:
        assert all(group.basis[qubit] == letter for term in group.terms for qubit, letter in term)


def test_commuting_terms_are_one_group_and_the_order_does_not_matter():
    assert len(group_qubit_wise(terms_of("ZII", "IZI", "ZZZ"))) == 1
    terms = terms_of("ZZI", "XIX", "IZZ", "XXI")
    first = group_qubit_wise(terms)
    assert all(group_qubit_wise(order) == first for order in itertools.permutations(terms))
