"""The CPU executor of density matrices: a plan's units by Numba sweeps, in tiles and threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qvlm_qiskit.quantum.density.cpu import at_once, sweeps
from qvlm_qiskit.quantum.density.cpu.arrays import (
    DENSE,
    ENTER,
    LEAVE,
    PERMUTING,
    WIDTH,
    UnitArrays,
)
from qvlm_qiskit.quantum.density.cpu.units import Leave, Unit, UnitPlan
from qvlm_qiskit.quantum.density.readout import Components
from qvlm_qiskit.quantum.executors.at_once import Layout, table_of, worth_one_kernel
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.executors.node import AffineAngles, Task
from qvlm_qiskit.quantum.executors.tiles import spread, tiled, untiled
from qvlm_qiskit.quantum.statevector.cpu.kernel_cache import announce

TILE_BYTES = 1 << 18
"""One tile of states: it should stay in the second-level cache with what a unit makes of it."""
MIN_LANES = 8
"""Fewer samples side by side leave the vector units idle on the lowest qubit."""
THREAD_WORK = 1 << 17
"""Components times units that are worth a thread of their own."""

Array = npt.NDArray[Any]
_ENTER = [0, 0, -1, -1, ENTER, 0]


class DensityExecutor:
    """Runs units for one list of observables, on CPU tensors."""

    def __init__(
        self,
        plan: UnitPlan,
        angles: tuple[Sequence[int], Sequence[int]],
        read: Components,
        num_observables: int,
    ) -> None:
        """Keep what the kernels read.

        Args:
            plan: From `plan_units`.
            angles: The rows of the shared and of the batched angles, in their order.
            read: From `read_components`.
            num_observables: Columns of the result.
        """
        self.plan = plan
        self.num_observables = num_observables
        sizes = [4**width for width in plan.widths()]
        self._first, self._most = np.cumsum([0, *sizes]), max(sizes)
        self._read = _on_digits(read, plan.order)
        self._angles = angles
        self._arrays: dict[Any, UnitArrays] = {}
        self._tables: dict[tuple[Any, AffineAngles], tuple[Array, tuple[Array, ...]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy the arrays lie elsewhere."""
        return {**self.__dict__, "_tables": {}}

    def numbers(self) -> int:
        """How many numbers per sample a gradient keeps: its states."""
        return int(self._first[-1])

    def layout(self, task: Task, batch: int) -> Layout | None:
        """How a whole call of so many samples is one kernel; None where it is not."""
        angles, numbers = task.angles, task.call.numbers
        if batch == 0 or not isinstance(angles, AffineAngles):
            return None
        lanes = self._lanes(numbers, batch)
        tiles = -(-batch // lanes)
        varying, samples = angles.batched.size, tiles * lanes
        worth = 3 * samples * self.numbers() // THREAD_WORK
        if not worth_one_kernel(angles.shared.size + samples * varying, worth):
            return None
        announce(at_once)
        per_sample = 2 * varying + 16 * len(self.plan.chains) + self.numbers()
        return Layout(
            at_once.forward,
            at_once.backward,
            *self._table(angles, numbers),
            lanes,
            kept=2 * angles.shared.size + samples * per_sample,
            values=(batch, self.num_observables),
            weights=(angles.batched.num_weights,),
            rows=(batch, angles.batched.num_inputs),
            numbers=numbers,
        )

    def _table(self, angles: AffineAngles, dtype: Any) -> tuple[Array, tuple[Array, ...]]:
        """Addresses of the units and their angles, and how many weights and inputs there are."""
        key = dtype, angles
        if key not in self._tables:
            self._tables[key] = table_of(self._in(dtype), angles)
        return self._tables[key]

    def run(
        self, shared: Array, batched: Array, amplitudes: Array | None, call: Call, keep: bool
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """Values, states by tile (empty unless ``keep``), and what the way back needs.

        Args:
            shared: Angles that all samples share, ``(n_shared,)``.
            batched: Angles per sample, ``(B, n_batched)``.
            amplitudes: None: a program starts in |0…0⟩.
            call: The states' precision.
            keep: Whether every unit's states are kept for the way back.
        """
        assert amplitudes is None
        dtype = call.numbers
        announce(sweeps)
        plan, batch = self._in(dtype), len(batched)
        lanes = self._lanes(dtype, batch)
        tiles = -(-batch // lanes)
        turns = _turns(tiled(batched, tiles, lanes), dtype)
        weights = _turns(shared[None], dtype)[0]
        products = np.empty((tiles, len(self.plan.chains), 16, lanes), dtype)
        shape = (tiles, lanes * self.numbers()) if keep else (0, lanes)
        states = np.empty(shape, dtype)
        out = np.zeros((tiles, self.num_observables, lanes), dtype)

        def work(first: int, last: int) -> None:
            target = states if keep else np.empty((1, 2 * lanes * self._most), dtype)
            sweeps.forward(plan, weights, turns, products, target, out, first, last, keep)

        spread(work, tiles, _threads(tiles * lanes * self.numbers()))
        return untiled(out, batch), states, (products, weights, turns)

    def gradient(
        self, grad: Array, states: Array, saved: tuple[Any, ...], with_amplitudes: bool
    ) -> tuple[Array, Array, None]:
        """Gradients for shared and batched angles; there are no amplitudes."""
        products, weights, turns = saved
        dtype, (tiles, size) = states.dtype, states.shape
        plan, lanes, batch = self._in(dtype), size // self.numbers(), len(grad)
        seeds = tiled(grad, tiles, lanes)
        d_batched = np.zeros((tiles, turns.shape[2], lanes), dtype)
        parts: list[Array] = []

        def work(first: int, last: int) -> None:
            d_shared = np.zeros(weights.shape[1])
            parts.append(d_shared)
            sweeps.backward(
                plan, weights, turns, products, states, seeds, d_shared, d_batched, first, last
            )

        spread(work, tiles, _threads(3 * tiles * size))
        return sum(parts[1:], parts[0]), untiled(d_batched, batch), None

    def _lanes(self, dtype: Any, batch: int) -> int:
        """Samples per tile."""
        fit = max(MIN_LANES, TILE_BYTES // (np.dtype(dtype).itemsize * self._most))
        # every thread gets a tile before tiles get wider
        share = -(-batch // _threads(batch * self.numbers()))
        lanes = 1
        while lanes < min(WIDTH, fit, share):
            lanes *= 2
        return lanes

    def _in(self, dtype: Any) -> UnitArrays:
        if dtype not in self._arrays:
            self._arrays[dtype] = _unit_arrays(
                self.plan, self._first, self._angles, self._read, dtype
            )
        return self._arrays[dtype]


def _on_digits(read: Components, order: Sequence[int]) -> Components:
    """Components of ascending qubits as components of the last state."""
    ranks = [sorted(order).index(qubit) for qubit in order]
    digits = [(read[0] >> 2 * rank & 3) << 2 * digit for digit, rank in enumerate(ranks)]
    return sum(digits, np.zeros_like(read[0])), read[1], read[2]


def _unit_arrays(
    plan: UnitPlan,
    first: Array,
    angles: tuple[Sequence[int], Sequence[int]],
    read: Components,
    dtype: Any,
) -> UnitArrays:
    shared, batched = ({row: i for i, row in enumerate(rows)} for rows in angles)
    sources, factors = [np.arange(16)], [np.ones(16)]
    dense: list[Array] = []
    passes: list[list[int]] = []
    for unit in plan.passes:
        if not isinstance(unit, Unit):
            passes.append([unit.digit, 0, -1, -1, LEAVE, 0] if isinstance(unit, Leave) else _ENTER)
            continue
        rows, columns = np.nonzero(unit.matrix)
        if len(rows) <= 16 and len(set(rows)) == len(rows):
            source, factor = np.zeros(16, np.int64), np.zeros(16)
            source[rows], factor[rows] = columns, unit.matrix[rows, columns]
            kind, index = PERMUTING, len(sources)
            sources.append(source)
            factors.append(factor)
        else:
            kind, index = DENSE, len(dense)
            dense.append(unit.matrix)
        passes.append([unit.low, unit.high, *unit.chains, kind, index])
    rotations = [rotation for chain in plan.chains for rotation in chain.rotations]
    varies = [row in batched for _, row in rotations]
    rotated = np.cumsum([0, *(len(chain.rotations) for chain in plan.chains)])
    return UnitArrays(
        np.array(passes, np.int64).reshape(-1, 6),
        first,
        np.array(sources),
        np.array(factors, dtype),
        np.array(dense, dtype).reshape(-1, 16, 16),
        np.array([chain.start for chain in plan.chains], dtype).reshape(-1, 16),
        rotated,
        np.array([parts for parts, _ in rotations], dtype).reshape(-1, 3, 16),
        np.array([(batched if row in batched else shared)[row] for _, row in rotations], np.int64),
        np.array(varies, np.bool_),
        read[0],
        read[1].astype(dtype),
        read[2],
    )


def _turns(angles: Array, dtype: Any) -> Array:
    """Cosines and sines as a new second axis; computed in doubles."""
    angles = np.asarray(angles, np.float64)
    return np.ascontiguousarray(np.stack([np.cos(angles), np.sin(angles)], axis=1), dtype)


def _threads(amount: int) -> int:
    """Threads that so much work is worth, at most torch's."""
    return min(torch.get_num_threads(), max(1, amount // THREAD_WORK))
