"""How much values differ between tiles, from rows that were asked on all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.strands import Floats, Strand


@dataclass(frozen=True, eq=False)
class Measured:
    """What rows of a pub gave on one tile.

    Attributes:
        strand: The rows; at the end those that belong to another tile and were asked here again.
        own: How many of them belong here.
        evs: (O, R) values.
        stds: (O, R) standard errors.
    """

    strand: Strand
    own: int
    evs: Floats
    stds: Floats

    def answer(self) -> tuple[Strand, Floats, Floats]:
        """The rows that belong here, with their values and errors."""
        own = slice(0, self.own)
        return self.strand.some(np.arange(self.own)), self.evs[:, own], self.stds[:, own]


def chosen(by_tile: Sequence[Mapping[str, int]], count: int) -> list[int]:
    """The rows that are asked on every tile: in turn one of each, that of the least digest.

    So how many rows a tile runs depends on numbers of rows alone.

    Args:
        by_tile: For each tile, places of its rows by digest.
        count: So many rows, or all where there are fewer.
    """
    ordered = [[own[key] for key in sorted(own)] for own in by_tile]
    rounds = zip_longest(*ordered)
    return [place for one in rounds for place in one if place is not None][:count]


def between_tiles(pub: EstimatorPub, measured: Iterable[Measured]) -> Floats:
    """The variance of each value over the tiles, in the pub's shape.

    For a row on T tiles, (1/T)·Σ(y - ȳ)² less (T - 1)/T times the mean square of the standard
    errors is what shots don't explain. Its mean over such rows stands for all rows of an
    observable; 0 where it is negative, or where no row was asked on several tiles.

    Args:
        pub: What was asked.
        measured: Its rows on all tiles.
    """
    alike: dict[bytes, list[Measured]] = {}
    for one in measured:
        alike.setdefault(one.strand.observables.tobytes(), []).append(one)
    found = np.zeros(pub.size)
    for group in alike.values():
        excess = _excess(group)
        for one in group:
            found[one.strand.outputs] = np.maximum(excess, 0.0)[:, None]
    return found.reshape(pub.shape)


def _excess(group: Sequence[Measured]) -> Floats:
    """(O,) mean square distance of a tile's value from the mean over tiles, without shot noise."""
    columns: dict[int, list[Floats]] = {}
    for one in group:
        for place, row in enumerate(one.strand.rows):
            pair = np.stack([one.evs[:, place], one.stds[:, place]])
            columns.setdefault(int(row), []).append(pair)
    several = [np.stack(pairs, axis=1) for pairs in columns.values() if len(pairs) > 1]
    if not several:
        return np.zeros(len(group[0].strand.observables))
    unexplained = [
        evs.var(axis=0) - (1 - 1 / len(evs)) * (stds**2).mean(axis=0) for evs, stds in several
    ]
    excess: Floats = np.mean(unexplained, axis=0)
    return excess
