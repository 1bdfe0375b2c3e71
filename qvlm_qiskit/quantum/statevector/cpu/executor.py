"""The CPU executor: a plan's Numba sweeps over arrays, in tiles and threads."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch

from qvlm_qiskit.quantum.executors.at_once import Layout, table_of, worth_one_kernel
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.executors.node import AffineAngles, Task
from qvlm_qiskit.quantum.executors.tiles import padded, spread, tiled, untiled
from qvlm_qiskit.quantum.program.fusion import DENSE, ROTATION, Plan
from qvlm_qiskit.quantum.statevector.cpu import (
    single,
    single_at_once,
    sweeps,
    sweeps_at_once,
)
from qvlm_qiskit.quantum.statevector.cpu.arrays import STRIDE, PlanArrays
from qvlm_qiskit.quantum.statevector.cpu.kernel_cache import announce
from qvlm_qiskit.quantum.statevector.cpu.split import Split, can_split

TILE_BYTES = 1 << 19
"""One tile of states: it has to stay in the second-level cache with λ and a scratch buffer."""
MAX_LANES = int(STRIDE)
MIN_LANES = 8
"""Fewer samples side by side leave the vector units idle on the low qubits; a tile that is too
large for the cache costs less (measured, docs/log.md)."""
SINGLE_QUBITS = 13
"""From so many qubits on, a tile leaves the cache at every gate: one sample goes after another."""
THREAD_WORK = 1 << 19
"""Amplitude updates (passes × states × 2ⁿ) that are worth a thread of their own."""

SPLIT_QUBITS = 18
"""From so many qubits on, threads that have no sample of their own share one; with fewer, waiting
for each other takes what they gain (measured, docs/log.md)."""

Array = npt.NDArray[Any]
Terms = tuple[Array, ...]


class CpuExecutor:
    """Runs a plan for one list of Pauli terms."""

    def __init__(self, plan: Plan, terms: Terms, num_observables: int) -> None:
        """Keep the arrays that the kernels read.

        Args:
            plan: From :func:`~qvlm_qiskit.quantum.program.fusion.fuse`.
            terms: Offsets, x masks, z masks, coefficients and columns, grouped by x.
            num_observables: Columns of the result.
        """
        self.plan = plan
        self.num_observables = num_observables
        dense, offsets, dense_start = _dense_arrays(plan)
        self.arrays = PlanArrays(
            plan.passes, plan.start, plan.gate_factors, plan.gate_batched, plan.factors,
            plan.constants, plan.tables, plan.phases, dense, offsets, dense_start, *terms,
        )  # fmt: skip
        self._tables: dict[AffineAngles, tuple[Array, tuple[Array, ...]]] = {}
        self._splits: dict[int, Split | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy the arrays lie elsewhere."""
        return {**self.__dict__, "_tables": {}, "_splits": {}}

    def lanes(self, dtype: np.dtype[Any], batch: int) -> int:
        """Samples per tile; one where amplitudes of one sample fill the vectors better."""
        fit = max(MIN_LANES, TILE_BYTES // (2 * dtype.itemsize << self.plan.num_qubits))
        # every thread gets a tile before tiles get wider
        share = -(-batch // self.threads(batch))
        large = self.plan.num_qubits >= SINGLE_QUBITS and self._suits_single
        if self._has_single and (share < MIN_LANES or large):
            return 1
        lanes = 1
        while lanes < min(MAX_LANES, fit, share):
            lanes *= 2
        return lanes

    @property
    def _has_single(self) -> bool:
        """Whether samples can be run one after the other, compiled."""
        return self.plan.num_qubits >= single.LOW_BITS and not numba.config.DISABLE_JIT

    @cached_property
    def _suits_single(self) -> bool:
        """Whether at most a quarter of the passes would use no vectors within one sample.

        These are matrices on several qubits, and rotations and observables that flip one of the
        lowest qubits.
        """
        passes, flips = self.plan.passes, self.arrays.term_x
        kinds, low = passes[:, 0], single.LOW - 1
        scalar = (kinds == DENSE) | ((kinds == ROTATION) & (passes[:, 1] & low != 0))
        count = np.count_nonzero(scalar) + np.count_nonzero(flips & low)
        return 4 * count <= len(passes) + len(flips)

    def driver(self, lanes: int) -> Any:
        """What runs tiles of so many samples."""
        return single if lanes == 1 and self._has_single else sweeps

    def _sharing(self, lanes: int, tiles: int) -> tuple[Any, int]:
        """What runs so many tiles, and threads for them: several may share every one."""
        threads = self.threads(tiles * lanes)
        most = torch.get_num_threads()
        # alone with a thread, one sample still gains by scratch space that is kept
        few = lanes == 1 and tiles < max(most, 2)
        if few and self.plan.num_qubits >= SPLIT_QUBITS:
            split = self._split(1 << most.bit_length() - 1)
            if split is not None:
                return split, 1
        return self.driver(lanes), threads

    def _split(self, parts: int) -> Split | None:
        """Sweeps that cut every sample into parts; None where that is not the way."""
        if parts not in self._splits:
            fine = self._has_single and self.plan.load is None and can_split(self.arrays, parts)
            self._splits[parts] = Split(self.arrays, parts) if fine else None
        return self._splits[parts]

    def layout(self, task: Task, batch: int) -> Layout | None:
        """How a whole call of so many samples is one kernel; None where it is not."""
        angles, call = task.angles, task.call
        if not isinstance(angles, AffineAngles) or self.plan.load is not None:
            return None
        lanes = self.lanes(call.numbers, batch) if batch else 1
        tiles = -(-batch // lanes)
        count = angles.shared.size + tiles * lanes * angles.batched.size
        if batch == 0 or not worth_one_kernel(count, self._worth(batch)):
            return None
        kernels = single_at_once if self.driver(lanes) is single else sweeps_at_once
        announce(kernels)
        return Layout(
            kernels.forward,
            kernels.backward,
            *self._table(angles),
            lanes,
            kept=2 * count + (2 * tiles * lanes << self.plan.num_qubits),
            values=(batch, self.num_observables),
            weights=(angles.batched.num_weights,),
            rows=(batch, angles.batched.num_inputs),
            numbers=call.numbers,
        )

    def _table(self, angles: AffineAngles) -> tuple[Array, tuple[Array, ...]]:
        """Addresses of the plan and of its angles, and how many weights and inputs there are."""
        if angles not in self._tables:
            self._tables[angles] = table_of(self.arrays, angles)
        return self._tables[angles]

    def run(
        self, shared: Array, batched: Array, amplitudes: Array | None, call: Call, keep: bool
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """Values, final states by tile (empty unless ``keep``), and what the way back needs.

        Args:
            shared: Angles that all samples share, ``(n_shared,)``, in the plan's order.
            batched: Angles per sample, ``(B, n_batched)``.
            amplitudes: Initial states ``(B, 2**n)`` of the call's dtype, or None for |0…0⟩.
            call: The states' precision, and whether the rows of ``amplitudes`` have any scale.
            keep: Whether a way back will follow.
        """
        batch, dtype = len(batched), call.numbers
        start = np.empty((batch, 0), dtype) if amplitudes is None else amplitudes
        tiles, lanes, saved = self._prepared(shared, batched, start, call.normalise)
        driver, threads = self._sharing(lanes, tiles)
        size = lanes << self.plan.num_qubits
        states = np.empty((tiles if keep else 0, 2, size), dtype)
        out = np.zeros((tiles, self.num_observables, lanes), dtype)

        def work(first: int, last: int) -> None:
            target = states if keep else np.empty((1, 2, size), dtype)
            driver.forward(self.arrays, *saved, target, out, first, last, keep)

        spread(work, tiles, threads)
        return untiled(out, batch), states, saved

    def adopt(
        self, states: Array, shared: Array, batched: Array
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """As :meth:`run` from |0…0⟩, with final states ``(B, 2**n)`` of another simulator."""
        batch, dtype = len(batched), batched.dtype
        nothing = np.empty((batch, 0), dtype)
        tiles, lanes, saved = self._prepared(shared, batched, nothing, normalise=False)
        rows = padded(states, tiles * lanes).reshape(tiles, lanes, -1).transpose(0, 2, 1)
        kept = np.stack([rows.real, rows.imag], axis=1).astype(dtype).reshape(tiles, 2, -1)
        out = np.zeros((tiles, self.num_observables, lanes), dtype)
        driver = self.driver(lanes)
        spread(
            lambda first, last: driver.read_out(self.arrays, kept, out, first, last),
            tiles,
            self.threads(tiles * lanes),
        )
        return untiled(out, batch), kept, saved

    def _prepared(
        self, shared: Array, batched: Array, amplitudes: Array, normalise: bool
    ) -> tuple[int, int, tuple[Any, ...]]:
        """Tiles, samples per tile, and the arrays that the sweeps read."""
        dtype = amplitudes.dtype
        lanes = self.lanes(dtype, len(batched))
        announce(self.driver(lanes))
        tiles = -(-len(batched) // lanes)
        trig = half_angles(shared, batched, tiles, lanes, dtype)
        start = padded(amplitudes, tiles * lanes)
        scales = np.empty((len(start) if normalise else 0, 2))
        return tiles, lanes, (trig, len(shared), start, scales)

    def gradient(
        self, grad: Array, states: Array, saved: tuple[Any, ...], with_amplitudes: bool
    ) -> tuple[Array, Array, Array]:
        """Gradients for shared angles, batched angles and amplitudes; uses up ``states``."""
        tiles, lanes = states.shape[0], states.shape[2] >> self.plan.num_qubits
        nothing = np.empty((0, *states.shape[1:]), states.dtype)
        found = self._back(tiled(grad, tiles, lanes), nothing, states, saved, with_amplitudes)
        return _first(len(grad), *found)

    def gradient_of_states(
        self,
        lambdas: Array,
        states: Array,
        saved: tuple[Any, ...],
        batch: int,
        with_amplitudes: bool,
    ) -> tuple[Array, Array, Array]:
        """As :meth:`gradient`, of any function of the final states.

        Args:
            lambdas: Its derivative by the conjugated states, in their layout; is used up.
            states: By tile, as :meth:`run` gives them; are used up.
            saved: From there.
            batch: Samples.
            with_amplitudes: Whether gradients for initial states are wanted.
        """
        tiles, lanes = states.shape[0], states.shape[2] >> self.plan.num_qubits
        nothing = np.empty((tiles, 0, lanes), states.dtype)
        return _first(batch, *self._back(nothing, lambdas, states, saved, with_amplitudes))

    def _back(
        self,
        seeds: Array,
        lambdas: Array,
        states: Array,
        saved: tuple[Any, ...],
        with_amplitudes: bool,
    ) -> tuple[Array, Array, Array]:
        """Gradients of whole tiles; either ``seeds`` or ``lambdas`` say of what."""
        trig, num_shared, _, _ = saved
        tiles, _, lanes = seeds.shape
        dtype, (driver, threads) = states.dtype, self._sharing(lanes, tiles)
        num_batched = (trig.shape[1] - num_shared) // (tiles * lanes)
        d_angles = np.zeros((tiles, num_batched, lanes), dtype)
        width = 1 << self.plan.num_qubits if with_amplitudes else 0
        d_start = np.empty((tiles * lanes, width), dtype)
        parts: list[Array] = []

        def work(first: int, last: int) -> None:
            d_weights = np.zeros(num_shared)
            parts.append(d_weights)
            driver.backward(
                self.arrays, *saved, states, seeds, lambdas, d_weights, d_angles, d_start, first,
                last,
            )  # fmt: skip

        spread(work, tiles, threads)
        return sum(parts[1:], parts[0]), d_angles, d_start

    def threads(self, batch: int) -> int:
        """Threads that so many samples are worth, at most torch's."""
        most = torch.get_num_threads()
        return 1 if most == 1 else min(most, batch, max(1, self._worth(batch)))

    def _worth(self, batch: int) -> int:
        """Threads that so many samples are worth, however many there are; 0 is less than one."""
        amount = (batch << self.plan.num_qubits) * (len(self.plan.passes) + 1)
        return amount // THREAD_WORK


def _first(
    batch: int, d_weights: Array, d_angles: Array, d_start: Array
) -> tuple[Array, Array, Array]:
    """Gradients without what pads the last tile."""
    return d_weights, untiled(d_angles, batch), d_start[:batch]


def half_angles(
    shared: Array, batched: Array, tiles: int, lanes: int, dtype: np.dtype[Any]
) -> Array:
    """Cosines and sines of half the angles, computed in doubles.

    Args:
        shared: ``(n_shared,)`` radians.
        batched: ``(B, n_batched)``; what a last tile lacks is padded with zeros.
        tiles: How many.
        lanes: Samples in each.
        dtype: Of the result.

    Returns:
        ``(2, n_shared + tiles·n_batched·lanes)``: the shared ones, then tile by tile.
    """
    count, (batch, width) = len(shared), batched.shape
    half = np.empty(count + tiles * width * lanes)
    half[:count] = shared
    own = half[count:].reshape(tiles, width, lanes)
    if batch < tiles * lanes:
        batched = padded(batched, tiles * lanes)
    own[...] = batched.reshape(tiles, lanes, width).transpose(0, 2, 1)
    half *= 0.5
    out = np.empty((2, len(half)), dtype)
    np.cos(half, out=out[0], casting="same_kind")
    np.sin(half, out=out[1], casting="same_kind")
    return out


def _dense_arrays(plan: Plan) -> tuple[Array, Array, Array]:
    """Fixed matrices end to end, their qubits' index offsets (width first), and their starts."""
    flat = [d.matrix.ravel() for d in plan.dense]
    start = np.cumsum([0, *(len(f) for f in flat)])[:-1].astype(np.int64)
    longest = max([1 << len(d.qubits) for d in plan.dense], default=1)
    offsets = np.zeros((len(flat), longest + 1), dtype=np.int64)
    for row, block in zip(offsets, plan.dense, strict=True):
        row[0] = len(block.qubits)
        for k in range(1 << len(block.qubits)):
            row[k + 1] = sum(1 << q for b, q in enumerate(block.qubits) if k >> b & 1)
    matrices = np.concatenate(flat) if flat else np.zeros(0, dtype=np.complex128)
    return matrices, offsets, start
