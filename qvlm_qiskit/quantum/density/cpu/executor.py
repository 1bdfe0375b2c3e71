"""Units and Numba sweeps behind one ``torch.autograd.Function``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.density.cpu import sweeps
from qvlm_qiskit.quantum.density.cpu.arrays import UnitArrays
from qvlm_qiskit.quantum.density.cpu.units import UnitPlan
from qvlm_qiskit.quantum.density.readout import MeasuredGroup
from qvlm_qiskit.quantum.memory_view import memory_view
from qvlm_qiskit.quantum.statevector.cpu.executor import _pool
from qvlm_qiskit.quantum.statevector.cpu.kernel_cache import announce
from qvlm_qiskit.quantum.transforms import require_single

TILE_BYTES = 1 << 18
"""One tile of states: it should stay in the second-level cache with what a unit makes of it."""
MAX_LANES = 64
MIN_LANES = 8
"""Fewer samples side by side leave the vector units idle on the lowest qubit."""
THREAD_WORK = 1 << 17
"""Components times units that are worth a thread of their own."""
MAX_READ = 1 << 14
"""Components that are read one by one."""

Array = npt.NDArray[Any]
Components = tuple[Array, Array, Array]
Twin = Callable[[Tensor, Tensor], Tensor]


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
        self._read = read
        self._angles = angles
        self._arrays: dict[Any, UnitArrays] = {}

    def expectations(
        self, shared: Tensor, batched: Tensor, dtype: torch.dtype, twin: Twin, keep: bool = True
    ) -> Tensor:
        """Values ``(B, n_observables)`` of that dtype.

        Args:
            shared: Angles ``(n_shared,)``.
            batched: Angles ``(B, n_batched)``.
            dtype: Of the states.
            twin: The same function in torch operations, for second derivatives.
            keep: Keep every unit's states for the way back, instead of computing them again.
        """
        values: Tensor = _Sweep.apply(shared, batched, (self, dtype, twin, keep))  # type: ignore[no-untyped-call]
        return values

    def slots(self) -> int:
        """States per sample that a gradient keeps."""
        return len(self.plan.units) + 1

    def run(
        self, shared: Array, batched: Array, dtype: Any, keep: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        """Values, and what the way back needs."""
        announce(sweeps)
        plan, batch = self._in(dtype), len(batched)
        lanes = self._lanes(dtype, batch)
        tiles = -(-batch // lanes)
        rows = np.zeros((tiles * lanes, batched.shape[1]))
        rows[:batch] = batched
        turns = _turns(rows.reshape(tiles, lanes, -1).transpose(0, 2, 1), dtype)
        weights = _turns(shared[None], dtype)[0]
        products = np.empty((tiles, len(self.plan.chains), 16, lanes), dtype)
        size = lanes * 4**self.plan.num_qubits
        states = np.empty((tiles, self.slots(), size) if keep else (0, 2, size), dtype)
        out = np.zeros((tiles, self.num_observables, lanes), dtype)

        def work(first: int, last: int) -> None:
            target = states if keep else np.empty((1, 2, size), dtype)
            sweeps.forward(plan, weights, turns, products, target, out, first, last, keep)

        _in_threads(work, tiles, tiles * size * self.slots())
        values = out.transpose(0, 2, 1).reshape(tiles * lanes, -1)[:batch]
        return np.ascontiguousarray(values), (products, weights, turns, states)

    def gradient(self, grad: Array, saved: tuple[Any, ...]) -> tuple[Array, Array]:
        """Gradients for shared and batched angles."""
        products, weights, turns, states = saved
        dtype, (tiles, slots, size) = states.dtype, states.shape
        plan, lanes, batch = self._in(dtype), size // 4**self.plan.num_qubits, len(grad)
        padded = np.zeros((tiles * lanes, self.num_observables), dtype)
        padded[:batch] = grad
        seeds = np.ascontiguousarray(padded.reshape(tiles, lanes, -1).transpose(0, 2, 1))
        d_batched = np.zeros((tiles, turns.shape[2], lanes), dtype)
        parts: list[Array] = []

        def work(first: int, last: int) -> None:
            d_shared = np.zeros(weights.shape[1])
            parts.append(d_shared)
            sweeps.backward(
                plan, weights, turns, products, states, seeds, d_shared, d_batched, first, last
            )

        _in_threads(work, tiles, 3 * tiles * size * slots)
        rows = d_batched.transpose(0, 2, 1).reshape(tiles * lanes, -1)[:batch]
        return np.sum(parts, axis=0), rows

    def _lanes(self, dtype: Any, batch: int) -> int:
        """Samples per tile."""
        fit = max(MIN_LANES, TILE_BYTES // (np.dtype(dtype).itemsize << 2 * self.plan.num_qubits))
        share = -(-batch // torch.get_num_threads())
        lanes = 1
        while lanes < min(MAX_LANES, fit, share):
            lanes *= 2
        return lanes

    def _in(self, dtype: Any) -> UnitArrays:
        if dtype not in self._arrays:
            self._arrays[dtype] = _unit_arrays(self.plan, self._angles, self._read, dtype)
        return self._arrays[dtype]


class _Sweep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        shared: Tensor,
        batched: Tensor,
        what: tuple[Any, ...],
    ) -> Tensor:
        executor, dtype, _, keep = what
        keep = keep and any(ctx.needs_input_grad[:2])
        angles = memory_view(shared), memory_view(batched)
        values, saved = executor.run(*angles, _numpy_dtype(dtype), keep)
        ctx.saved = saved if keep else None
        ctx.what = what
        ctx.save_for_backward(shared, batched)
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        inputs, (executor, dtype, twin, _) = ctx.saved_tensors, ctx.what
        needed = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():  # create_graph=True: the sweep itself has no derivative
            wanted = [x for x, need in zip(inputs, needed, strict=True) if need]
            slopes = iter(
                torch.autograd.grad(
                    twin(*inputs), wanted, grad, create_graph=True, materialize_grads=True
                )
            )
            return (*(next(slopes) if need else None for need in needed), None)
        if ctx.saved is None:  # not kept, or used up by an earlier pass (retain_graph=True)
            angles = [memory_view(x) for x in inputs]
            _, ctx.saved = executor.run(*angles, _numpy_dtype(dtype), True)
        saved, ctx.saved = ctx.saved, None
        found = executor.gradient(memory_view(grad), saved)
        both = zip(found, inputs, needed, strict=True)
        return (*(torch.from_numpy(g).to(x.dtype) if need else None for g, x, need in both), None)


def read_components(
    groups: Sequence[MeasuredGroup],
) -> Components | None:
    """Components of the final state that are read, what each adds, and to which observable.

    None where they are more than `MAX_READ`.
    """
    index, factor, column = [], [], []
    for group in groups:
        active = len(group.readings)
        rows = [np.flatnonzero(group.weights[s]) for s in range(len(group.weights))]
        for string, observables in enumerate(rows):
            if not observables.size:
                continue
            places, values = _string(group, string, active)
            for observable in observables:
                index += list(places)
                factor += list(values * group.weights[string, observable])
                column += [observable] * len(places)
            if len(index) > MAX_READ:
                return None
    return np.array(index, np.int64), np.array(factor), np.array(column, np.int64)


def _string(group: MeasuredGroup, string: int, active: int) -> tuple[Array, Array]:
    """What the product of readings in a string reads."""
    places: Array = np.zeros(1, np.int64)
    values: Array = np.ones(1)
    bit = 0
    for qubit in range(active):
        reading = group.readings[qubit]
        measured = len(reading) == 2
        row = reading[1 if measured and string >> bit & 1 else 0]
        bit += measured
        digits = np.flatnonzero(row)
        places = (places[:, None] + digits * 4**qubit).ravel()
        values = (values[:, None] * row[digits]).ravel()
    for mean in group.idle:
        values = values * (mean if string >> bit & 1 else 1.0)
        bit += 1
    return places, values


def _unit_arrays(
    plan: UnitPlan,
    angles: tuple[Sequence[int], Sequence[int]],
    read: Components,
    dtype: Any,
) -> UnitArrays:
    shared, batched = ({row: i for i, row in enumerate(rows)} for rows in angles)
    sources, factors = [np.arange(16)], [np.ones(16)]
    dense: list[Array] = []
    units: list[list[int]] = []
    for unit in plan.units:
        rows, columns = np.nonzero(unit.matrix)
        if len(rows) <= 16 and len(set(rows)) == len(rows):
            source, factor = np.zeros(16, np.int64), np.zeros(16)
            source[rows], factor[rows] = columns, unit.matrix[rows, columns]
            kind, index = 0, len(sources)
            sources.append(source)
            factors.append(factor)
        else:
            kind, index = 1, len(dense)
            dense.append(unit.matrix)
        units.append([unit.low, unit.high, *unit.chains, kind, index])
    rotations = [rotation for chain in plan.chains for rotation in chain.rotations]
    varies = [row in batched for _, row in rotations]
    first = np.cumsum([0, *(len(chain.rotations) for chain in plan.chains)])
    return UnitArrays(
        np.array([plan.num_qubits]),
        np.array(units, np.int64).reshape(-1, 6),
        np.array(sources),
        np.array(factors, dtype),
        np.array(dense, dtype).reshape(-1, 16, 16),
        np.array([chain.start for chain in plan.chains], dtype).reshape(-1, 16),
        first,
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


def _numpy_dtype(dtype: torch.dtype) -> Any:
    return np.dtype(np.float64 if dtype == torch.float64 else np.float32)


def _in_threads(work: Callable[[int, int], None], tiles: int, amount: int) -> None:
    """Spread tiles over as many threads as torch uses; the kernels release the GIL."""
    threads = min(torch.get_num_threads(), tiles, max(1, amount // THREAD_WORK))
    if threads == 1:
        work(0, tiles)
        return
    bounds = [tiles * t // threads for t in range(threads + 1)]
    list(_pool(threads).map(work, bounds[:-1], bounds[1:]))
