"""What a gradient request really asks for: its distinct circuits, observables and vectors.

``EstimatorQNN`` repeats one circuit for every sample and observable. The entries are sorted into
one :class:`Batch` per distinct circuit, and the answers put back into the order of the request.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.program.circuit_key import circuit_key

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One entry of the request, as indices into its batch."""

    position: int
    observable: int
    vector: int
    columns: npt.NDArray[np.intp]


@dataclass
class Batch:
    """All entries of a request that have the same circuit.

    Attributes:
        circuit: The first of the equal circuits.
        observables: The distinct ones as Pauli sums, in order of appearance.
        entries: What was asked.
    """

    circuit: QuantumCircuit
    observables: list[SparsePauliOp] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    _vectors: dict[bytes, Array] = field(default_factory=dict)
    _vector_index: dict[bytes, int] = field(default_factory=dict)
    _observable_index: dict[Any, int] = field(default_factory=dict)
    _columns: dict[int, npt.NDArray[np.intp]] = field(default_factory=dict)

    def add(
        self, position: int, observable: Any, values: Any, parameters: Sequence[Parameter]
    ) -> None:
        """Take in entry ``position`` of the request, which must stay alive meanwhile."""
        vector = np.asarray(values, dtype=np.float64)
        key = vector.tobytes()
        self._vectors.setdefault(key, vector)
        row = self._vector_index.setdefault(key, len(self._vector_index))
        if id(parameters) not in self._columns:
            index = {parameter: i for i, parameter in enumerate(self.circuit.parameters)}
            columns = np.array([index[p] for p in parameters], dtype=np.intp)
            self._columns[id(parameters)] = columns
        number = self._observable(observable)
        self.entries.append(Entry(position, number, row, self._columns[id(parameters)]))

    @property
    def values(self) -> Array:
        """The distinct parameter vectors, ``(n_vectors, n_parameters)``."""
        return np.stack(list(self._vectors.values()))

    @property
    def wanted(self) -> Mask:
        """Which derivatives some entry asks for, ``(n_vectors, n_parameters)``."""
        mask = np.zeros((len(self._vectors), self.circuit.num_parameters), dtype=bool)
        for entry in self.entries:
            mask[entry.vector, entry.columns] = True
        return mask

    def scatter(self, jacobian: Array, gradients: list[Array]) -> None:
        """Write ``(n_observables, n_vectors, n_parameters)`` to the places of the entries."""
        for entry in self.entries:
            gradients[entry.position] = jacobian[entry.observable, entry.vector, entry.columns]

    def _observable(self, observable: Any) -> int:
        if id(observable) not in self._observable_index:
            # exact terms: Qiskit's == of operators lets coefficients differ by 1e-5
            pauli_sum = as_pauli_sum(observable)
            key = tuple(sorted((label, c.real) for label, c in pauli_sum.to_list()))
            if key not in self._observable_index:
                self._observable_index[key] = len(self.observables)
                self.observables.append(pauli_sum)
            self._observable_index[id(observable)] = self._observable_index[key]
        return self._observable_index[id(observable)]


def split_request(
    circuits: Sequence[QuantumCircuit],
    observables: Sequence[Any],
    values: Sequence[Any] | Array,
    parameters: Sequence[Sequence[Parameter]],
) -> list[Batch]:
    """Sort the entries of a request by circuit: by identity first, then by content.

    Not by Qiskit's ``==``, for which matrices that differ by 1e-5 are equal.
    """
    batches: dict[Hashable, Batch] = {}
    by_id: dict[int, Batch] = {}
    rows = zip(circuits, observables, values, parameters, strict=True)
    for position, (circuit, observable, vector, chosen) in enumerate(rows):
        if id(circuit) not in by_id:
            by_id[id(circuit)] = batches.setdefault(circuit_key(circuit), Batch(circuit))
        by_id[id(circuit)].add(position, observable, vector, chosen)
    return list(batches.values())


class CircuitCache(Generic[T]):
    """Remembers what was built for the most recent circuits.

    A circuit is found again by its content, so one that was changed in place since then is not
    mistaken for what it was.
    """

    def __init__(self, build: Callable[[QuantumCircuit], T], size: int = 16) -> None:
        """Create an empty cache of at most ``size`` circuits."""
        self._build = build
        self._known: LruCache[Hashable, T] = LruCache(size)

    def __call__(self, circuit: QuantumCircuit) -> T:
        """What was built for an equal circuit before, or is built now."""
        return self._known.get(circuit_key(circuit), lambda: self._build(circuit))
