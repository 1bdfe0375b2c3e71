"""`Spread`: rows of a compiled circuit on several tiles of the device, where they run at once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable
from qiskit.transpiler import Target

from qvlm_qiskit.backends.compilation.placement import moved
from qvlm_qiskit.backends.compilation.tile_rule import TileRule
from qvlm_qiskit.backends.compilation.tiles import Tile, find_tiles
from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.backends.pubs.gathered import gathered
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.strands import Floats, Strand, flat_values, strands, woven
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.caches import LruCache

CELL = 2.0**-8
"""Radians. Rows whose parameters round to the same multiples have the same tile, so that a row
which is computed again with other last bits finds its own."""

SCHEME = b"qvlm-tile-1"


class Memory(Protocol):
    """Which tile a row was given."""

    def known(self, keys: Iterable[str]) -> dict[str, int]:
        """The tiles of those rows that have one."""
        ...

    def keep(self, tiles: Mapping[str, int]) -> dict[str, int]:
        """Note the tiles of new rows, and return what holds from now on."""
        ...


class ProcessMemory:
    """Tiles of rows as long as this object lives."""

    def __init__(self) -> None:
        self._tiles: dict[str, int] = {}

    def known(self, keys: Iterable[str]) -> dict[str, int]:
        """The tiles of those rows that have one."""
        return {key: self._tiles[key] for key in keys if key in self._tiles}

    def keep(self, tiles: Mapping[str, int]) -> dict[str, int]:
        """Note the tiles of new rows."""
        for key, tile in tiles.items():
            self._tiles.setdefault(key, tile)
        return self.known(tiles)


class Looking:
    """A memory that is looked at: what is noted here is forgotten with this object."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._own = ProcessMemory()

    def known(self, keys: Iterable[str]) -> dict[str, int]:
        """The tiles of those rows that have one."""
        listed = list(keys)
        return {**self._own.known(listed), **self._memory.known(listed)}

    def keep(self, tiles: Mapping[str, int]) -> dict[str, int]:
        """Note the tiles of new rows, here alone."""
        return self._own.keep(tiles)


@dataclass(frozen=True)
class Tiling:
    """The tiles of one circuit, and the circuit on each.

    Attributes:
        tiles: The likeliest to run without error first.
        circuits: The circuit on each tile.
        fingerprint: Digest of circuit and tiles.
    """

    tiles: tuple[Tile, ...]
    circuits: tuple[QuantumCircuit, ...]
    fingerprint: str

    def report(self) -> dict[str, Any]:
        """The tiles as JSON-able data."""
        return {
            "circuit": self.circuits[0].name,
            "tiles": [
                {"qubits": list(tile.qubits), "error": tile.error if tile.placement else 0.0}
                for tile in self.tiles
            ],
        }


Piece = tuple[int, int, Strand]
"""Number of a pub, tile, and the strand of it that runs there."""


class Spread(EstimatorWrapper):
    """Lays every circuit onto several tiles and gives each of its rows to one of them.

    A row keeps its tile: the same values go there again, in any call. New rows are divided evenly
    over as few of the best tiles as take no more executions than all of them would; which row goes
    where follows from its digest.

    Args:
        inner: Runs ISA pubs.
        target: The device with its errors.
        rule: How many tiles are taken, and which.
        memory: Which tile a row was given; by default as long as this object lives.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        target: Target,
        rule: TileRule,
        memory: Memory | None = None,
    ) -> None:
        self.inner = inner
        self.target = target
        self.rule = rule
        self.memory: Memory = memory or ProcessMemory()
        self._tilings: LruCache[Any, Tiling] = LruCache(256)
        self._reports: dict[str, dict[str, Any]] = {}

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Run every row on its tile, all in one inner call.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            InputError: Fewer tiles than were asked for fit.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        pieces = self._pieces(coerced, self.memory)

        def finish(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            answers = list(result)
            woven_back = [
                self._answer(number, pub, pieces, answers) for number, pub in enumerate(coerced)
            ]
            return PrimitiveResult(woven_back, metadata=result.metadata)

        return MappedJob(self.inner.run(self._pubs(coerced, pieces)), finish)

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """One call for each, with the rows on their tiles; which tile a row gets is not noted."""
        memory = Looking(self.memory)
        for call in calls:
            pieces = self._pieces(call.pubs, memory)
            yield call.with_pubs(self._pubs(call.pubs, pieces))

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """1: each value is measured on one tile."""
        return 1.0

    def tilings(self) -> list[dict[str, Any]]:
        """The tiles of all circuits so far, JSON-able."""
        return list(self._reports.values())

    def tiling(self, pub: EstimatorPub) -> Tiling:
        """The tiles of a pub's circuit, with the readout of what its observables measure.

        Raises:
            InputError: Fewer tiles than were asked for fit.
        """
        observables = pub.observables.sparse_observables_array(copy=False).ravel()
        measured = tuple(sorted({int(qubit) for o in observables for qubit in o.indices}))
        digest = circuit_digest(pub.circuit)
        found = self._tilings.get((digest, measured), lambda: self._laid(pub, measured, digest))
        self._reports[found.fingerprint] = found.report()
        return found

    def _laid(self, pub: EstimatorPub, measured: tuple[int, ...], digest: str) -> Tiling:
        tiles = find_tiles(pub.circuit, measured, self.target, self.rule)
        text = repr((digest, [sorted(tile.placement.items()) for tile in tiles]))
        circuits = tuple(moved(pub.circuit, tile.placement) for tile in tiles)
        return Tiling(tiles, circuits, hashlib.sha256(text.encode()).hexdigest())

    def _pieces(self, pubs: Sequence[EstimatorPub], memory: Memory) -> list[Piece]:
        """The strands of all pubs by tile."""
        tilings = [self.tiling(pub) for pub in pubs]
        keys = [_keys(pub, tiling) for pub, tiling in zip(pubs, tilings, strict=True)]
        places: dict[str, int] = {}
        for tiling, own in zip(tilings, keys, strict=True):
            asked = dict.fromkeys(own)
            known = memory.known(asked)
            new = divided([key for key in asked if key not in known], len(tiling.tiles))
            places.update({**known, **(memory.keep(new) if new else {})})
        pieces = []
        for number, pub in enumerate(pubs):
            for strand in strands(pub):
                tiles = np.array([places[keys[number][row]] for row in strand.rows])
                for tile in np.unique(tiles):
                    chosen = strand.some(np.flatnonzero(tiles == tile))
                    pieces.append((number, int(tile), chosen))
        return pieces

    def _pubs(self, pubs: Sequence[EstimatorPub], pieces: Sequence[Piece]) -> list[EstimatorPub]:
        made = []
        for number, tile, strand in pieces:
            tiling = self.tiling(pubs[number])
            own = strand.pub(pubs[number])
            made.append(_on_tile(own, tiling.circuits[tile], tiling.tiles[tile].placement))
        return made

    def _answer(
        self, number: int, pub: EstimatorPub, pieces: Sequence[Piece], answers: Sequence[Any]
    ) -> PubResult:
        mine = [i for i, (owner, _, _) in enumerate(pieces) if owner == number]
        evs, stds = woven(pub, [(pieces[i][2], *_values(answers[i])) for i in mine])
        tiling = self.tiling(pub)
        rows = np.bincount(
            [pieces[i][1] for i in mine],
            weights=[len(pieces[i][2].rows) for i in mine],
            minlength=len(tiling.tiles),
        )
        used = [
            {"qubits": list(tile.qubits), "rows": int(count)}
            for tile, count in zip(tiling.tiles, rows, strict=True)
            if count
        ]
        about = {**gathered([answers[i].metadata for i in mine]), "tiles": used}
        return PubResult(DataBin(evs=evs, stds=stds, shape=pub.shape), about)


def spread_over(target: Target, rule: TileRule) -> Callable[[BaseEstimatorV2], BaseEstimatorV2]:
    """The wrapper of a backend whose rows run on tiles."""
    return lambda inner: Spread(inner, target, rule)


def divided(keys: Iterable[str], tiles: int) -> dict[str, int]:
    """Rows on tiles: no tile has more than ⌈rows/tiles⌉, and the best ones are used.

    Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018): a row goes
    to the tile that its digest names, or to the next one that has room.

    Args:
        keys: Hexadecimal digests of different rows, in any order.
        tiles: Number of tiles.
    """
    ordered = sorted(keys)
    if not ordered:
        return {}
    most = math.ceil(len(ordered) / tiles)
    used = math.ceil(len(ordered) / most)
    loads = [0] * used
    found = {}
    for key in ordered:
        tile = int(key[:15], 16) % used
        while loads[tile] == most:
            tile = (tile + 1) % used
        loads[tile] += 1
        found[key] = tile
    return found


def _keys(pub: EstimatorPub, tiling: Tiling) -> list[str]:
    """What a row is known by: its circuit with its tiles, and its values without last bits."""
    cells = np.round(flat_values(pub) / CELL).astype("<i8")
    start = hashlib.sha256(SCHEME + tiling.fingerprint.encode())
    found = []
    for row in cells:
        digest = start.copy()
        digest.update(row.tobytes())
        found.append(digest.hexdigest())
    return found


def _on_tile(
    pub: EstimatorPub, circuit: QuantumCircuit, placement: Mapping[int, int]
) -> EstimatorPub:
    array = pub.observables.sparse_observables_array(copy=False)
    placed = array.copy()
    for where, observable in enumerate(array.ravel()):
        terms = [
            (letters, [placement[int(qubit)] for qubit in support], coefficient)
            for letters, support, coefficient in observable.to_sparse_list()
        ]
        placed.reshape(-1)[where] = SparseObservable.from_sparse_list(terms, circuit.num_qubits)
    observables = ObservablesArray(placed, num_qubits=circuit.num_qubits, validate=False)
    return EstimatorPub(circuit, observables, pub.parameter_values, pub.precision, validate=False)


def _values(answer: Any) -> tuple[Floats, Floats]:
    return (
        np.asarray(answer.data.evs, dtype=float),
        np.asarray(answer.data.stds, dtype=float),
    )
