"""Circuits that are run as their light cones, each kind of cone as one batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.binding import AngleMap, kept_in_graph
from qvlm_qiskit.quantum.program.cones import Cone
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants
from qvlm_qiskit.quantum.torch_support.transforms import is_transformed

KEPT_BYTES = 2**30
"""Beyond this, a gradient's states are not kept but computed again on the way back."""

Reading = tuple[int, int, int, float]
"""Cone, observable of the shared plan, column of the result, coefficient."""


class Plan(Protocol):
    """An engine of states or of density matrices."""

    num_observables: int

    def expectations(
        self, batched: Tensor, shared: Tensor, *, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Values ``(B, n_observables)``."""
        ...


@dataclass(frozen=True)
class Slots:
    """The angles of equal cones, slot by slot.

    Attributes:
        own: Slots whose angles differ between cones or samples.
        common: The others.
    """

    own: tuple[int, ...]
    common: tuple[int, ...]

    @classmethod
    def of(cls, table: AngleTable, rows: Sequence[Sequence[int]], num_batched: int) -> Slots:
        """Sort them.

        Args:
            table: The whole circuit's angles.
            rows: For every cone, the rows of its slots.
            num_batched: How many leading parameters are given per sample.
        """
        common = [
            slot
            for slot, column in enumerate(zip(*rows, strict=True))
            if len({_meaning(table, row) for row in column}) == 1
            and all(parameter >= num_batched for parameter in table.depends_on(column[0]))
        ]
        own = sorted(set(range(len(rows[0]))) - set(common))
        return cls(tuple(own), tuple(common))

    def table(self) -> tuple[AngleTable, Iterator[int]]:
        """Every slot as a parameter of its own, the own ones first; and the slots' rows in turn."""
        row = {slot: i for i, slot in enumerate((*self.own, *self.common))}
        coefficients = [{i: 1.0} for i in range(len(row))]
        return AngleTable(len(row), coefficients, [0.0] * len(row)), (
            row[i] for i in range(len(row))
        )


def _meaning(table: AngleTable, row: int) -> tuple[Any, ...]:
    """What two rows have in common if their angles are equal for all values."""
    free = table.expressions.get(row)
    text = "" if free is None else repr((free.parameters, free.formula.steps, free.factor))
    return tuple(sorted(table.coefficients[row].items())), table.constants[row], text


@dataclass(frozen=True, eq=False)
class Part:
    """Cones that are equal but for their qubits and parameters: one plan, run on all at once.

    Attributes:
        plan: Takes the slots' angles as its parameters.
        slots: Which of them are given per row.
        rows: ``(n_cones, n_slots)`` rows of the whole circuit's angle table.
        readings: What is added to the result.
        row_bytes: Of one row's state; 0 where the plan itself looks after its memory.
    """

    plan: Plan
    slots: Slots
    rows: Sequence[Sequence[int]]
    readings: Sequence[Reading]
    row_bytes: int = 0
    _constants: DeviceConstants = field(default_factory=DeviceConstants)

    def maps(self, table: AngleTable, num_batched: int) -> tuple[AngleMap, AngleMap]:
        """The angles per row, all cones side by side, and the common ones."""
        own = [row[slot] for row in self.rows for slot in self.slots.own]
        common = [self.rows[0][slot] for slot in self.slots.common]
        return AngleMap(table, own, num_batched), AngleMap(table, common, num_batched)

    def values(self, own: Tensor, common: Tensor, columns: int, dtype: torch.dtype) -> Tensor:
        """What these cones add to the result, ``(B or 1, columns)`` in doubles.

        Args:
            own: ``(B or 1, n_cones · n_own)`` angles.
            common: ``(n_common,)`` angles.
            columns: How many observables the circuit has.
            dtype: The precision of states.
        """
        samples = own.shape[0]
        rows = own.reshape(samples * len(self.rows), len(self.slots.own))
        found = self._run(rows, common, dtype).double().reshape(samples, -1)
        read = found.index_select(1, self._constant("place", self._places, own, torch.int64))
        factors = self._constant("factor", self._factors, own, torch.float64)
        target = self._constant("column", self._columns, own, torch.int64)
        return found.new_zeros(samples, columns).index_add(1, target, read * factors)

    def _run(self, rows: Tensor, common: Tensor, dtype: torch.dtype) -> Tensor:
        size = self.row_bytes * dtype.itemsize
        if rows.shape[0] * size <= KEPT_BYTES or torch.compiler.is_exporting():
            return self.plan.expectations(rows, common, dtype=dtype)
        portions = torch.split(rows, max(1, KEPT_BYTES // size))
        run = partial(self.plan.expectations, dtype=dtype)
        graph = torch.is_grad_enabled() and (rows.requires_grad or common.requires_grad)
        if graph and not is_transformed(rows, common):
            run = partial(checkpoint, run, use_reentrant=False)
        return torch.cat([run(portion, common) for portion in portions])

    def _places(self) -> npt.NDArray[np.int64]:
        count = self.plan.num_observables
        return np.array([cone * count + string for cone, string, _, _ in self.readings], np.int64)

    def _columns(self) -> npt.NDArray[np.int64]:
        return np.array([column for _, _, column, _ in self.readings], np.int64)

    def _factors(self) -> npt.NDArray[np.float64]:
        return np.array([factor for _, _, _, factor in self.readings], np.float64)

    def _constant(self, name: str, make: Any, like: Tensor, dtype: torch.dtype) -> Tensor:
        return self._constants.get(name, make, like.device, dtype)


Letters = tuple[tuple[str, int], ...]
"""A Pauli string: its letters with the qubits that they are on."""


class Splitting(Protocol):
    """A circuit that is cut into its cones; cones have numbers of their own for their qubits."""

    @property
    def table(self) -> AngleTable:
        """The circuit's angles."""
        ...

    def kind(self, cone: Cone) -> Hashable:
        """What cones that share a plan have in common."""
        ...

    def rows(self, cone: Cone) -> list[int]:
        """The rows of its angles, in order of application."""
        ...

    def readings(self, cone: Cone) -> Iterable[tuple[Letters, int, float]]:
        """The strings that are read of it, each with a column of the result and a coefficient."""
        ...

    def plan(self, cone: Cone, slots: Slots, observables: Sequence[SparsePauliOp]) -> Plan:
        """What runs it, and all that are of its kind."""
        ...

    def row_bytes(self, cone: Cone) -> int:
        """Of one row's state; 0 where the plan itself looks after its memory."""
        ...


def parts_of(cones: Sequence[Cone], split: Splitting, num_batched: int) -> list[Part]:
    """The cones, sorted by what happens in them but for angles.

    Args:
        cones: Of the circuit.
        split: What is in them.
        num_batched: How many leading parameters are given per sample.
    """
    kinds: dict[Hashable, list[Cone]] = defaultdict(list)
    for cone in cones:
        kinds[split.kind(cone)].append(cone)
    return [_part(alike, split, num_batched) for alike in kinds.values()]


def _part(cones: Sequence[Cone], split: Splitting, num_batched: int) -> Part:
    rows = [split.rows(cone) for cone in cones]
    slots = Slots.of(split.table, rows, num_batched)
    strings: dict[Letters, int] = {}
    readings = [
        (number, strings.setdefault(letters, len(strings)), column, factor)
        for number, cone in enumerate(cones)
        for letters, column, factor in split.readings(cone)
    ]
    first, width = cones[0], len(cones[0].qubits)
    plan = split.plan(first, slots, [string_of(letters, width) for letters in strings])
    return Part(plan, slots, rows, readings, split.row_bytes(first))


def string_of(letters: Letters, width: int) -> SparsePauliOp:
    """A Pauli string on so many qubits."""
    paulis, qubits = "".join(p for p, _ in letters), [q for _, q in letters]
    return SparsePauliOp.from_sparse_list([(paulis, qubits, 1.0)], num_qubits=width)


class SplitEngine:
    """Runs a circuit's light cones for batches of inputs with shared weights.

    The first ``num_batched`` parameters differ from sample to sample, the others are shared.
    """

    def __init__(
        self,
        table: AngleTable,
        num_batched: int,
        offsets: Sequence[float],
        parts: Sequence[Part],
    ) -> None:
        """Map parameters to the cones' angles.

        Args:
            table: The whole circuit's angles.
            num_batched: How many leading parameters are given per sample.
            offsets: What every observable's value has beside its cones.
            parts: The cones.
        """
        self.num_batched = num_batched
        self.num_observables = len(offsets)
        self.parts = tuple(parts)
        self._offsets = np.array(offsets, dtype=np.float64)
        self._maps = [part.maps(table, num_batched) for part in parts]
        both = [angles for pair in self._maps for angles in pair]
        self._reads_inputs = any(angles.reads_inputs for angles in both)
        self._reads_weights = any(angles.reads_weights for angles in both)
        self._constants = DeviceConstants()

    @property
    def num_loaded(self) -> int:
        """0: what loads amplitudes on all its qubits is one cone, and is not split."""
        return 0

    def loads_inputs(self, count: int) -> bool:
        """False, whatever the number of inputs."""
        return False

    def expectations(
        self,
        batched: Tensor,
        shared: Tensor,
        features: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Values of every sample and observable.

        Args:
            batched: ``(B, num_batched)`` real. Angles are computed in float64 in any case.
            shared: ``(n_parameters - num_batched,)`` real.
            features: None: nothing loads amplitudes as they are.
            dtype: float32 or float64: the precision of the states, by default that of ``batched``.

        Returns:
            ``(B, n_observables)`` real, of that dtype; exact up to rounding.

        Raises:
            InputError: There are features.
        """
        if features is not None:
            raise InputError("a circuit that is run as its light cones loads no amplitudes")
        dtype = batched.dtype if dtype is None else dtype
        offsets = self._constants.get(
            "offsets", lambda: self._offsets, batched.device, torch.float64
        )
        total = offsets[None]
        if batched.shape[0]:
            for part, (own, common) in zip(self.parts, self._maps, strict=True):
                angles = own(batched, shared).double(), common(None, shared)[0].double()
                total = total + part.values(*angles, self.num_observables, dtype)
        values = total.expand(batched.shape[0], -1).to(dtype).contiguous()
        runs = batched.shape[0] > 0
        unread = [
            tensor
            for tensor, read in ((batched, self._reads_inputs), (shared, self._reads_weights))
            if not (read and runs)
        ]
        return kept_in_graph(values, *unread)
