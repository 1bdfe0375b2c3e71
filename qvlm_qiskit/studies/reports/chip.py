"""A device as data for drawings: its couplers, its errors, and where its qubits are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray
from qiskit.transpiler import Target

Pair = tuple[int, int]
Positions = NDArray[np.float64]
_SWEEPS = 300


@dataclass(frozen=True)
class Chip:
    """A device and its errors.

    Attributes:
        readout: The readout error of every qubit; None where it is not stated.
        couplers: Coupled pairs, ascending, with the smallest error of a gate on both; None where no
            gate states one.
    """

    readout: tuple[float | None, ...]
    couplers: Mapping[Pair, float | None]

    @classmethod
    def of(cls, target: Target) -> Chip | None:
        """The device of a target; None where it has no couplers.

        Args:
            target: With its qubits' and gates' errors, as far as they are known.
        """
        found: dict[Pair, float | None] = {}
        for name in target.operation_names:
            for qubits in target[name] or {}:
                if qubits is not None and len(qubits) == 2:
                    pair = min(qubits), max(qubits)
                    errors = (found.get(pair), _error(target, name, qubits))
                    found[pair] = min((e for e in errors if e is not None), default=None)
        if not found:
            return None
        read = tuple(_error(target, "measure", (q,)) for q in range(target.num_qubits))
        return cls(read, dict(sorted(found.items())))

    @property
    def num_qubits(self) -> int:
        """Its qubits."""
        return len(self.readout)


def _error(target: Target, name: str, qubits: tuple[int, ...]) -> float | None:
    if name not in target.operation_names:
        return None
    properties = (target[name] or {}).get(qubits)
    error = None if properties is None else properties.error
    return None if error is None or math.isnan(error) else float(error)


def positions(chip: Chip) -> Positions:
    """Where the qubits of a device are drawn: (qubits, 2) in lengths of a coupler, y downwards.

    On a grid where the device's numbers run along its rows, as those of heavy-hexagonal and square
    lattices do; otherwise as far from each other as there are couplers between them.
    """
    on_grid = _in_rows(chip)
    return _by_distance(chip) if on_grid is None else on_grid


def _in_rows(chip: Chip) -> Positions | None:
    """Rows of consecutive numbers, each below the one that it is coupled to.

    None where some coupler would not be between neighbours on the grid.
    """
    couplers = set(chip.couplers)
    placed: dict[int, Pair] = {}
    for row in _runs(chip.num_qubits, couplers):
        links = ((b, a) for a, b in sorted(couplers) if b in row and a in placed and a not in row)
        below, above = next(links, (row[0], None))
        if above is None and placed:
            return None
        x, y = (0, -1) if above is None else placed[above]
        placed.update({qubit: (x + qubit - below, y + 1) for qubit in row})
    found = np.array([placed[qubit] for qubit in range(chip.num_qubits)], dtype=float)
    lengths = [float(np.abs(found[a] - found[b]).sum()) for a, b in couplers]
    if len(set(placed.values())) < len(placed) or any(length != 1 for length in lengths):
        return None
    return np.asarray(found - found.min(axis=0))


def _runs(num_qubits: int, couplers: set[Pair]) -> Iterable[list[int]]:
    """Consecutive numbers of which each is coupled to the next."""
    number = 0

    def row(qubit: int) -> int:
        nonlocal number
        number += (qubit - 1, qubit) not in couplers
        return number

    return [list(members) for _, members in groupby(range(num_qubits), key=row)]


def _by_distance(chip: Chip) -> Positions:
    """Distances on paper near those along couplers: stress majorization (Gansner, Koren, North)."""
    wanted = _ways(chip)
    np.fill_diagonal(wanted, 1.0)
    weights = wanted**-2.0
    np.fill_diagonal(weights, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    inverse = np.linalg.pinv(laplacian)
    found = _classical(wanted)
    for _ in range(_SWEEPS):
        apart = np.linalg.norm(found[:, None] - found[None], axis=-1)
        pull = weights * wanted / np.maximum(apart, 1e-9)
        np.fill_diagonal(pull, 0.0)
        found = inverse @ (np.diag(pull.sum(axis=1)) - pull) @ found
    return _upright(found)


def _ways(chip: Chip) -> Positions:
    """How many couplers lie between any two qubits; on average as many where none connect them."""
    graph = rx.PyGraph()
    graph.add_nodes_from(range(chip.num_qubits))
    graph.add_edges_from_no_data(list(chip.couplers))
    ways = np.asarray(rx.distance_matrix(graph, null_value=-1), dtype=float)
    return np.where(ways < 0, np.ceil(ways[ways > 0].mean()), ways)


def _classical(ways: Positions) -> Positions:
    """The two main axes of the distances (classical scaling), where stress is made smaller from."""
    squares = ways**2
    np.fill_diagonal(squares, 0.0)
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, axes = np.linalg.eigh(-0.5 * centred)
    found: Positions = axes[:, -2:] * np.sqrt(np.maximum(values[-2:], 1e-6))
    return found


def _upright(found: Positions) -> Positions:
    """Wider than high, with the first qubit at the top left."""
    centred = found - found.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    turned = centred @ axes.T
    if np.ptp(turned[:, 1]) > np.ptp(turned[:, 0]):
        turned = turned[:, ::-1]
    turned = turned * np.where(turned[0] > 0, -1.0, 1.0)
    return np.asarray(turned - turned.min(axis=0))
