"""`Spread`: rows of a compiled circuit on several tiles of the device, where they run at once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from qvlm_qiskit.backends.compilation.tiles import Tile, coupled, find_tiles
from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.backends.pubs.gathered import gathered
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.backends.pubs.strands import Floats, Strand, flat_values, strands, woven
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.caches import LruCache

CELL = 2.0**-8
"""Radians. Rows whose parameters round to the same multiples have the same tile, so that a row
which is computed again with other last bits finds its own."""

SCHEME = b"qvlm-tile-1"


Place = tuple[int, ...]
"""A tile's device qubits, in the order of the compiled circuit's."""


class Memory(Protocol):
    """Where a row runs."""

    def known(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those rows that have one."""
        ...

    def keep(self, places: Mapping[str, Place]) -> dict[str, Place]:
        """Note the places of new rows, and return what holds from now on."""
        ...


class ProcessMemory:
    """Places of rows as long as this object lives."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def known(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those rows that have one."""
        return {key: self._places[key] for key in keys if key in self._places}

    def keep(self, places: Mapping[str, Place]) -> dict[str, Place]:
        """Note the places of new rows."""
        for key, place in places.items():
            self._places.setdefault(key, place)
        return self.known(places)


class Looking:
    """A memory that is looked at: what is noted here is forgotten with this object."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._own = ProcessMemory()

    def known(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those rows that have one."""
        listed = list(keys)
        return {**self._own.known(listed), **self._memory.known(listed)}

    def keep(self, places: Mapping[str, Place]) -> dict[str, Place]:
        """Note the places of new rows, here alone."""
        return self._own.keep(places)


class Tiling:
    """The tiles of one circuit, and the circuit on each.

    Attributes:
        circuit: The compiled circuit.
        tiles: The likeliest to run without error first.
        fingerprint: Digest of the circuit, its qubits and the device's couplers, whatever tiles
            there are and whatever its errors.
    """

    def __init__(
        self, circuit: QuantumCircuit, tiles: tuple[Tile, ...], digest: str, couplers: str
    ) -> None:
        self.circuit = circuit
        self.tiles = tiles
        self.qubits = sorted(tiles[0].placement)
        named = repr((digest, self.qubits, couplers)).encode()
        self.fingerprint = hashlib.sha256(SCHEME + named).hexdigest()
        self._circuits: dict[Place, QuantumCircuit] = {}

    def placement(self, place: Place) -> dict[int, int]:
        """Qubit of the compiled circuit → device qubit."""
        return dict(zip(self.qubits, place, strict=True))

    def on(self, place: Place) -> QuantumCircuit:
        """The circuit in a place, the same object at every call."""
        if place not in self._circuits:
            self._circuits[place] = moved(self.circuit, self.placement(place))
        return self._circuits[place]

    def report(self) -> dict[str, Any]:
        """The tiles as JSON-able data."""
        return {
            "circuit": self.circuit.name,
            "tiles": [{"qubits": list(tile.qubits), "error": tile.error} for tile in self.tiles],
        }


Piece = tuple[int, Place, Strand]
"""Number of a pub, a place, and the strand of it that runs there."""


class Spread(EstimatorWrapper):
    """Lays every circuit onto several tiles and gives each of its rows to one of them.

    A row keeps its tile: the same values go there again, in any call. New rows are divided evenly
    over as few of the best tiles as take no more executions than all of them would; which row goes
    where follows from its digest.

    Args:
        inner: Runs ISA pubs.
        target: The device with its errors.
        rule: How many tiles are taken, and which.
        memory: Where a row runs; by default what a recorder behind this wrapper keeps as its
            attribute ``places``, or else nothing beyond this object's life.
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
        self.memory: Memory = memory or _kept(inner) or ProcessMemory()
        self._tilings: LruCache[Any, Tiling] = LruCache(256)
        self._reports: dict[str, dict[str, Any]] = {}
        self._couplers = repr(sorted((q, sorted(near)) for q, near in coupled(target).items()))

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
        return self.planned(calls, None)

    def planned(self, calls: Iterable[Call], memory: Memory | None) -> Iterator[Call]:
        """`plan`, with another memory of where rows run, which notes what is new.

        Args:
            calls: Calls of this estimator.
            memory: None: this one's own is looked at.
        """
        memory = memory or Looking(self.memory)
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
        return Tiling(pub.circuit, tiles, digest, self._couplers)

    def _pieces(self, pubs: Sequence[EstimatorPub], memory: Memory) -> list[Piece]:
        """The strands of all pubs by place, the best tiles first."""
        tilings = [self.tiling(pub) for pub in pubs]
        keys = [_keys(pub, tiling) for pub, tiling in zip(pubs, tilings, strict=True)]
        places: dict[str, Place] = {}
        for tiling, own in zip(tilings, keys, strict=True):
            asked = dict.fromkeys(own)
            known = memory.known(asked)
            tiles = [tile.qubits for tile in tiling.tiles]
            new = divided([key for key in asked if key not in known], len(tiles))
            chosen = {key: tiles[tile] for key, tile in new.items()}
            places.update({**known, **(memory.keep(chosen) if chosen else {})})
        pieces = []
        for number, pub in enumerate(pubs):
            ranks = {tile.qubits: rank for rank, tile in enumerate(tilings[number].tiles)}
            for strand in strands(pub):
                by_place: dict[Place, list[int]] = {}
                for i, row in enumerate(strand.rows):
                    by_place.setdefault(places[keys[number][row]], []).append(i)
                for place in sorted(by_place, key=lambda one: (ranks.get(one, len(ranks)), one)):
                    pieces.append((number, place, strand.some(by_place[place])))
        return pieces

    def _pubs(self, pubs: Sequence[EstimatorPub], pieces: Sequence[Piece]) -> list[EstimatorPub]:
        made = []
        for number, place, strand in pieces:
            tiling = self.tiling(pubs[number])
            own = strand.pub(pubs[number])
            made.append(_on_tile(own, tiling.on(place), tiling.placement(place)))
        return made

    def _answer(
        self, number: int, pub: EstimatorPub, pieces: Sequence[Piece], answers: Sequence[Any]
    ) -> PubResult:
        mine = [i for i, (owner, _, _) in enumerate(pieces) if owner == number]
        evs, stds = woven(pub, [(pieces[i][2], *_values(answers[i])) for i in mine])
        rows: dict[Place, int] = {}
        for i in mine:
            _, place, strand = pieces[i]
            rows[place] = rows.get(place, 0) + len(strand.rows)
        used = [{"qubits": list(place), "rows": count} for place, count in rows.items()]
        about = {**gathered([answers[i].metadata for i in mine]), "tiles": used}
        return PubResult(DataBin(evs=evs, stds=stds, shape=pub.shape), about)


def spread_over(target: Target, rule: TileRule) -> Callable[[BaseEstimatorV2], BaseEstimatorV2]:
    """The wrapper of a backend whose rows run on tiles."""
    return lambda inner: Spread(inner, target, rule)


def _kept(inner: Any) -> Memory | None:
    """What a recorder behind an estimator knows of where rows run."""
    found = (getattr(layer, "places", None) for layer in stack_of(inner))
    memory: Memory | None = next((places for places in found if places is not None), None)
    return memory


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
    """What a row is known by: its circuit, and its values without last bits."""
    cells = np.round(flat_values(pub) / CELL).astype("<i8")
    start = hashlib.sha256(tiling.fingerprint.encode())
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
