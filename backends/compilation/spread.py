"""`Spread`: rows of a compiled circuit on several tiles of the device, where they run at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable
from qiskit.transpiler import Target

from qvlm_qiskit.backends.compilation.placement import moved
from qvlm_qiskit.backends.compilation.row_places import (
    Looking,
    Memory,
    Place,
    ProcessMemory,
    divided,
)
from qvlm_qiskit.backends.compilation.tile_repeats import Measured, between_tiles, chosen
from qvlm_qiskit.backends.compilation.tile_rule import TileRule
from qvlm_qiskit.backends.compilation.tiles import Tile, coupled, find_tiles
from qvlm_qiskit.backends.mitigation.mitigator import PlacingWrapper
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


@dataclass(frozen=True)
class Piece:
    """Rows of a pub that run on one tile.

    Attributes:
        number: The pub's, in its call.
        place: The tile.
        strand: Its rows; at the end those that are asked there again.
        own: How many of them belong there.
    """

    number: int
    place: Place
    strand: Strand
    own: int


class Spread(PlacingWrapper):
    """Lays every circuit onto several tiles and gives each of its rows to one of them.

    A row keeps its tile: the same values go there again, in any call. New rows are divided evenly
    over as few of the best tiles as take no more executions than all of them would; which row goes
    where follows from its digest.

    With ``rule.repeats`` some rows are asked on every tile that others run on, and the variance
    between tiles is added to the square of every stated error; values stay what they are without.

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

    def around(self, inner: BaseEstimatorV2) -> Spread:
        """The same tiles and the same memory of rows in front of another estimator."""
        other = Spread(inner, self.target, self.rule, self.memory)
        other._tilings, other._reports = self._tilings, self._reports
        return other

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

    def planned(self, calls: Iterable[Call], places: Memory | None) -> Iterator[Call]:
        """`plan`, with another memory of where rows run, which notes what is new.

        Args:
            calls: Calls of this estimator.
            places: None: this one's own is looked at.
        """
        memory = places or Looking(self.memory)
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
            places.update(_placed(tiling, own, memory))
        return [
            piece
            for number, pub in enumerate(pubs)
            for piece in self._of_pub(number, pub, tilings[number], keys[number], places)
        ]

    def _of_pub(
        self,
        number: int,
        pub: EstimatorPub,
        tiling: Tiling,
        keys: Sequence[str],
        places: Mapping[str, Place],
    ) -> Iterator[Piece]:
        ranks = {tile.qubits: rank for rank, tile in enumerate(tiling.tiles)}
        used = {places[key] for key in keys}
        best_first = sorted(used, key=lambda place: (ranks.get(place, len(ranks)), place))
        for strand in strands(pub):
            rows: dict[Place, list[int]] = {place: [] for place in best_first}
            for i, row in enumerate(strand.rows):
                rows[places[keys[row]]].append(i)
            by_tile = [{keys[strand.rows[i]]: i for i in own} for own in rows.values()]
            again = chosen(by_tile, self.rule.repeats) if len(used) > 1 else []
            for place, own in rows.items():
                asked = [*own, *(i for i in again if i not in own)]
                if asked:
                    part = strand.some(np.array(asked, dtype=np.intp))
                    yield Piece(number, place, part, len(own))

    def _pubs(self, pubs: Sequence[EstimatorPub], pieces: Sequence[Piece]) -> list[EstimatorPub]:
        made = []
        for piece in pieces:
            tiling = self.tiling(pubs[piece.number])
            own = piece.strand.pub(pubs[piece.number])
            made.append(_on_tile(own, tiling.on(piece.place), tiling.placement(piece.place)))
        return made

    def _answer(
        self, number: int, pub: EstimatorPub, pieces: Sequence[Piece], answers: Sequence[Any]
    ) -> PubResult:
        mine = [i for i, piece in enumerate(pieces) if piece.number == number]
        about = gathered([answers[i].metadata for i in mine])
        measured = [Measured(pieces[i].strand, pieces[i].own, *_values(answers[i])) for i in mine]
        evs, stds = woven(pub, [one.answer() for one in measured])
        if self.rule.repeats:
            between = between_tiles(pub, measured)
            stds = np.sqrt(stds**2 + between)
            about["between_tiles"] = float(np.sqrt(between.mean())) if between.size else 0.0
        rows: dict[Place, int] = {}
        for i in mine:
            rows[pieces[i].place] = rows.get(pieces[i].place, 0) + pieces[i].own
        about["tiles"] = [{"qubits": list(place), "rows": count} for place, count in rows.items()]
        return PubResult(DataBin(evs=evs, stds=stds, shape=pub.shape), about)


def spread_over(target: Target, rule: TileRule) -> Callable[[BaseEstimatorV2], BaseEstimatorV2]:
    """The wrapper of a backend whose rows run on tiles."""
    return lambda inner: Spread(inner, target, rule)


def spreads_of(estimator: Any) -> Iterator[Spread]:
    """What lays rows onto tiles in a stack of estimators, also where another stands over it."""
    for layer in stack_of(estimator):
        if isinstance(layer, Spread):
            yield layer
        elif isinstance(over := getattr(layer, "tiles", None), Spread):
            yield over


def _kept(inner: Any) -> Memory | None:
    """What a recorder behind an estimator knows of where rows run."""
    found = (getattr(layer, "places", None) for layer in stack_of(inner))
    memory: Memory | None = next((places for places in found if places is not None), None)
    return memory


def _placed(tiling: Tiling, keys: Iterable[str], memory: Memory) -> dict[str, Place]:
    """The place of every row, a new one's as it is noted now."""
    asked = dict.fromkeys(keys)
    known = memory.known(asked)
    tiles = [tile.qubits for tile in tiling.tiles]
    new = divided([key for key in asked if key not in known], len(tiles))
    chosen_now = {key: tiles[tile] for key, tile in new.items()}
    return {**known, **(memory.keep(chosen_now) if chosen_now else {})}


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
