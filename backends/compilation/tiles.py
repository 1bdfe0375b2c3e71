"""Tiles: places of a device where copies of one circuit run at the same time.

A circuit of four qubits leaves the rest of a large device idle. Here its compiled form is laid onto
further places with the same connections (subgraph isomorphisms, as Qiskit's VF2PostLayout finds
them), the likeliest to run without error first, each away from those that are taken already.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qvlm_qiskit.backends.compilation.placement import (
    Operations,
    operations,
    placed_log_success,
    placements,
    used_qubits,
)
from qvlm_qiskit.backends.compilation.tile_rule import MAX_TILES, TileRule
from qvlm_qiskit.errors import InputError

# Places that are compared in one search; there are further searches where these have been taken.
MAX_PLACES = 5000


@dataclass(frozen=True)
class Tile:
    """One place of a circuit.

    Attributes:
        placement: Qubit of the compiled circuit → device qubit, for all used and measured ones.
        log_success: Logarithm of the estimated probability that neither a gate nor a readout errs.
    """

    placement: Mapping[int, int]
    log_success: float

    @property
    def qubits(self) -> tuple[int, ...]:
        """Its device qubits, in the order of the compiled circuit's."""
        return tuple(self.placement[qubit] for qubit in sorted(self.placement))

    @property
    def error(self) -> float:
        """The estimated probability that some gate or readout errs."""
        return -math.expm1(self.log_success) + 0.0


def find_tiles(
    circuit: QuantumCircuit, measured: Sequence[int], target: Target, rule: TileRule
) -> tuple[Tile, ...]:
    """The tiles of a compiled circuit, the likeliest to run without error first.

    The search is greedy: the best place, then the best of those that are far enough from it, and so
    on. Errors count as independent and idling as free, as for layouts.

    Args:
        circuit: Compiled for the target.
        measured: Device qubits that are read out.
        target: The device with its errors.
        rule: How many, and which.

    Raises:
        InputError: Fewer tiles than were asked for fit, or the spacing leaves no second one.
    """
    counts = operations(circuit, measured)
    used = used_qubits(counts)
    if not used:
        return (Tile({}, 0.0),)
    if rule.count == "none":
        own = {qubit: qubit for qubit in used}
        return (Tile(own, placed_log_success(counts, target, own)),)
    found = _search(counts, target, rule)
    if isinstance(rule.count, int) and len(found) < rule.count:
        raise InputError(
            f"{_number(len(found))} of a circuit with {len(used)} qubits found room on the device, "
            f"with {rule.distance} idle qubit(s) between them: {rule.count} were asked for; take "
            "fewer tiles or a smaller spacing"
        )
    if rule.count == "auto" and len(found) == 1 and rule.distance:
        _check_spacing(counts, target, rule)
    return found


def _check_spacing(counts: Operations, target: Target, rule: TileRule) -> None:
    """Refuse a spacing without which there were more tiles than one.

    Raises:
        InputError: It leaves no second one.
    """
    closer = _search(counts, target, TileRule("auto", rule.factor, 0))
    if len(closer) < 2:
        return
    last = rule.crosstalk and rule.distance == 1
    raise InputError(
        f"a spacing of {rule.distance} leaves no second tile for a circuit with "
        f"{len(used_qubits(counts))} qubits ({len(closer)} touch each other"
        f"{', which crosstalk forbids' if last else ''}): take "
        f"{'' if last else 'a smaller spacing or '}tiles='none'"
    )


def _number(count: int) -> str:
    return "one tile" if count == 1 else f"{count} tiles"


def _search(counts: Operations, target: Target, rule: TileRule) -> tuple[Tile, ...]:
    """Search, take what is good enough, and search the rest of the device again."""
    neighbours = coupled(target)
    own = {qubit: qubit for qubit in used_qubits(counts)}
    free = set(range(target.num_qubits))
    chosen: list[Tile] = []
    extra = [Tile(own, placed_log_success(counts, target, own))]
    while len(chosen) < _most(rule):
        before = len(chosen)
        for tile in _ranked(extra, counts, target, free):
            if len(chosen) == _most(rule) or not _good_enough(tile, chosen, rule):
                break
            if free.issuperset(tile.qubits):
                chosen.append(tile)
                free -= around(tile.qubits, neighbours, rule.distance)
        extra = []
        if len(chosen) == before:
            break
    chosen.sort(key=_rank)
    return tuple(chosen)


def _most(rule: TileRule) -> int:
    return rule.count if isinstance(rule.count, int) else MAX_TILES


def _good_enough(tile: Tile, chosen: Sequence[Tile], rule: TileRule) -> bool:
    if not math.isfinite(tile.log_success):
        return not chosen
    return rule.count != "auto" or not chosen or tile.error <= rule.factor * chosen[0].error


def _ranked(
    extra: Iterable[Tile], counts: Operations, target: Target, free: set[int]
) -> list[Tile]:
    """The best way to lie on every set of free qubits, the best set first."""
    best: dict[frozenset[int], Tile] = {}
    for tile in (*extra, *_tiles(counts, target, free)):
        place = frozenset(tile.qubits)
        if place not in best or _rank(tile) < _rank(best[place]):
            best[place] = tile
    return sorted(best.values(), key=_rank)


def _tiles(counts: Operations, target: Target, free: set[int]) -> Iterator[Tile]:
    for placement in islice(placements(counts, target, free), MAX_PLACES):
        yield Tile(placement, placed_log_success(counts, target, placement))


def _rank(tile: Tile) -> tuple[float, tuple[int, ...]]:
    """Rounded, so that equally good places have one order on every processor."""
    return -round(tile.log_success, 12), tile.qubits


def touching(tiles: Iterable[Tile], target: Target) -> bool:
    """Whether two of the tiles have coupled qubits."""
    neighbours = coupled(target)
    owner = {qubit: number for number, tile in enumerate(tiles) for qubit in tile.qubits}
    return any(
        owner.get(near, number) != number
        for qubit, number in owner.items()
        for near in neighbours.get(qubit, ())
    )


def coupled(target: Target) -> dict[int, frozenset[int]]:
    """The neighbours of every qubit by the device's two-qubit gates."""
    found: dict[int, set[int]] = {}
    for name in target.operation_names:
        for operands in target[name] or {}:
            if operands is not None and len(operands) == 2:
                found.setdefault(operands[0], set()).add(operands[1])
                found.setdefault(operands[1], set()).add(operands[0])
    return {qubit: frozenset(others) for qubit, others in found.items()}


def around(
    qubits: Iterable[int], neighbours: Mapping[int, frozenset[int]], spacing: int
) -> frozenset[int]:
    """Some qubits and all that can be reached from them in `spacing` steps."""
    reached = frontier = frozenset(qubits)
    for _ in range(spacing):
        frontier = frozenset(o for q in frontier for o in neighbours.get(q, ())) - reached
        if not frontier:
            break
        reached |= frontier
    return reached
