"""Which Pauli terms one measured circuit can serve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# A Pauli string as ((qubit, letter), …) with ascending qubits; () is the identity.
Term = tuple[tuple[int, str], ...]


@dataclass
class MeasurementGroup:
    """Qubit-wise commuting terms: a measurement basis per qubit, and the terms that it serves."""

    basis: dict[int, str] = field(default_factory=dict)
    terms: set[Term] = field(default_factory=set)

    def admits(self, term: Term) -> bool:
        """True when no qubit would have to be measured in two bases."""
        return all(self.basis.get(qubit, letter) == letter for qubit, letter in term)

    def add(self, term: Term) -> None:
        """Take the term in."""
        self.basis.update(term)
        self.terms.add(term)


def pauli_terms(observable: Any) -> dict[Term, float]:
    """The Pauli expansion of a `SparseObservable`: term → real coefficient.

    Projectors (|0⟩⟨0| and so on) are expanded into Pauli strings.
    """
    expanded: dict[Term, float] = {}
    for letters, qubits, coefficient in observable.as_paulis().to_sparse_list():
        term = tuple(sorted(zip((int(q) for q in qubits), letters, strict=True)))
        expanded[term] = expanded.get(term, 0.0) + float(coefficient.real)
    return expanded


def group_qubit_wise(terms: Iterable[Term]) -> list[MeasurementGroup]:
    """Put the terms into few qubit-wise commuting groups, greedily from the longest term down.

    The identity needs no measurement and is left out. The result depends on the set of terms
    only, not on their order.
    """
    groups: list[MeasurementGroup] = []
    for term in sorted(set(terms) - {()}, key=lambda t: (-len(t), t)):
        home = next((group for group in groups if group.admits(term)), None)
        if home is None:
            home = MeasurementGroup()
            groups.append(home)
        home.add(term)
    return groups
