"""The CPU executor: plans and Numba sweeps behind one ``torch.autograd.Function``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.memory_view import memory_view
from qvlm_qiskit.quantum.program.fusion import Plan
from qvlm_qiskit.quantum.statevector.call import Call
from qvlm_qiskit.quantum.statevector.cpu import one_qubit, sweeps
from qvlm_qiskit.quantum.statevector.cpu.arrays import PlanArrays
from qvlm_qiskit.quantum.statevector.cpu.kernel_cache import announce
from qvlm_qiskit.quantum.transforms import require_single

TILE_BYTES = 1 << 19
"""One tile of states: it has to stay in the second-level cache with λ and a scratch buffer."""
MAX_LANES = 64
MIN_LANES = 8
"""Fewer samples side by side leave the vector units idle on the low qubits; a tile that is too
large for the cache costs less (measured, docs/log.md)."""
THREAD_WORK = 1 << 18
"""Amplitude updates (passes × states × 2ⁿ) that are worth a thread of their own."""

Twin = Callable[[Tensor, Tensor, Tensor | None, Call], Tensor]
Terms = tuple[npt.NDArray[Any], ...]


class CpuExecutor:
    """Runs a plan for one list of Pauli terms, on CPU tensors."""

    def __init__(self, plan: Plan, terms: Terms, num_observables: int, twin: Twin) -> None:
        """Keep the arrays that the kernels read.

        Args:
            plan: From :func:`~qvlm_qiskit.quantum.program.fusion.fuse`.
            terms: Offsets, x masks, z masks, coefficients and columns, grouped by x.
            num_observables: Columns of the result.
            twin: The same function in torch operations, for second derivatives.
        """
        self.plan = plan
        self.twin = twin
        self.num_observables = num_observables
        dense, offsets, dense_start = _dense_arrays(plan)
        self._arrays = PlanArrays(
            plan.passes, plan.start, plan.gate_factors, plan.gate_batched, plan.factors,
            plan.constants, plan.tables, plan.phases, dense, offsets, dense_start, *terms,
        )  # fmt: skip

    def expectations(
        self,
        shared: Tensor,
        batched: Tensor,
        amplitudes: Tensor | None,
        call: Call,
    ) -> Tensor:
        """Values ``(B, n_observables)``.

        Args:
            shared: Angles that all samples share, ``(n_shared,)``, in the plan's order.
            batched: Angles per sample, ``(B, n_batched)``.
            amplitudes: Initial states ``(B, 2**n)`` of the call's dtype, or None for |0…0⟩.
            call: The states' precision, and whether the rows of ``amplitudes`` have any scale.
        """
        empty = batched.new_zeros(len(batched), 0, dtype=call.dtype)
        start = empty if amplitudes is None else amplitudes
        return cast(
            Tensor,
            _Sweep.apply(shared, batched, start, (self, call)),  # type: ignore[no-untyped-call]
        )

    def lanes(self, dtype: np.dtype[Any], batch: int) -> int:
        """Samples per tile."""
        fit = max(MIN_LANES, TILE_BYTES // (2 * dtype.itemsize << self.plan.num_qubits))
        # every thread gets a tile before tiles get wider
        share = -(-batch // torch.get_num_threads())
        lanes = 1
        while lanes < min(MAX_LANES, fit, share):
            lanes *= 2
        return lanes

    def run(
        self, shared: npt.NDArray[Any], batched: npt.NDArray[Any], amplitudes: npt.NDArray[Any],
        normalise: bool, keep: bool,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[Any, ...]]:  # fmt: skip
        """Values, final states by tile (empty unless ``keep``), and what the way back needs."""
        batch, dtype = len(batched), amplitudes.dtype
        tiles, lanes, saved = self._prepared(shared, batched, amplitudes, normalise)
        matrices, weights, angles, start, scales = saved
        size = lanes << self.plan.num_qubits
        states = np.empty((tiles if keep else 0, 2, size), dtype)
        out = np.zeros((tiles, self.num_observables, lanes), dtype)

        def work(first: int, last: int) -> None:
            target = states if keep else np.empty((1, 2, size), dtype)
            sweeps.forward(
                self._arrays, matrices, weights, angles, start, scales, target, out, first, last,
                keep,
            )  # fmt: skip

        self._in_threads(work, tiles, lanes)
        values = out.transpose(0, 2, 1).reshape(tiles * lanes, -1)[:batch]
        return values, states, saved

    def adopt(
        self, states: npt.NDArray[Any], shared: npt.NDArray[Any], batched: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[Any, ...]]:
        """As :meth:`run` from |0…0⟩, with final states ``(B, 2**n)`` of another simulator."""
        batch, dtype = len(batched), batched.dtype
        nothing = np.empty((batch, 0), dtype)
        tiles, lanes, saved = self._prepared(shared, batched, nothing, normalise=False)
        rows = _padded(states, tiles * lanes).reshape(tiles, lanes, -1).transpose(0, 2, 1)
        kept = np.stack([rows.real, rows.imag], axis=1).astype(dtype).reshape(tiles, 2, -1)
        out = np.zeros((tiles, self.num_observables, lanes), dtype)
        self._in_threads(
            lambda first, last: sweeps.read_out(self._arrays, kept, out, first, last), tiles, lanes
        )
        values = out.transpose(0, 2, 1).reshape(tiles * lanes, -1)[:batch]
        return values, kept, saved

    def _prepared(
        self, shared: npt.NDArray[Any], batched: npt.NDArray[Any], amplitudes: npt.NDArray[Any],
        normalise: bool,
    ) -> tuple[int, int, tuple[Any, ...]]:  # fmt: skip
        """Tiles, samples per tile, and the arrays that the sweeps read."""
        announce()
        dtype = amplitudes.dtype
        lanes = self.lanes(dtype, len(batched))
        tiles = -(-len(batched) // lanes)
        rows = _padded(batched, tiles * lanes)
        angles = _half_angles(rows.reshape(tiles, lanes, -1).transpose(0, 2, 1), dtype)
        start = _padded(amplitudes, tiles * lanes)
        scales = np.empty((len(start) if normalise else 0, 2))
        weights = _half_angles(shared[None], dtype)[0]
        matrices = np.zeros((len(self.plan.gate_batched), 8), dtype)
        one_qubit.shared_matrices(self._arrays, weights, matrices)
        return tiles, lanes, (matrices, weights, angles, start, scales)

    def gradient(
        self, grad: npt.NDArray[Any], states: npt.NDArray[Any], saved: tuple[Any, ...],
        with_amplitudes: bool,
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:  # fmt: skip
        """Gradients for shared angles, batched angles and amplitudes; uses up ``states``."""
        matrices, weights, angles, start, scales = saved
        tiles, lanes = states.shape[0], states.shape[2] >> self.plan.num_qubits
        batch, dtype = len(grad), states.dtype
        padded = _padded(grad, tiles * lanes).reshape(tiles, lanes, -1)
        seeds = np.ascontiguousarray(padded.transpose(0, 2, 1))
        d_angles = np.zeros((tiles, angles.shape[2], lanes), dtype)
        width = 1 << self.plan.num_qubits if with_amplitudes else 0
        d_start = np.empty((tiles * lanes, width), dtype)
        parts: list[npt.NDArray[Any]] = []

        def work(first: int, last: int) -> None:
            d_weights = np.zeros(weights.shape[1])
            parts.append(d_weights)
            sweeps.backward(
                self._arrays, matrices, weights, angles, start, scales, states, seeds, d_weights,
                d_angles, d_start, first, last,
            )  # fmt: skip

        self._in_threads(work, tiles, lanes)
        d_rows = d_angles.transpose(0, 2, 1).reshape(tiles * lanes, -1)[:batch]
        return np.sum(parts, axis=0), d_rows, d_start[:batch]

    def _in_threads(self, work: Callable[[int, int], None], tiles: int, lanes: int) -> None:
        """Spread tiles over as many threads as torch uses; the kernels release the GIL."""
        amount = tiles * (lanes << self.plan.num_qubits) * (len(self.plan.passes) + 1)
        threads = min(torch.get_num_threads(), tiles, max(1, amount // THREAD_WORK))
        if threads == 1:
            work(0, tiles)
            return
        bounds = [tiles * t // threads for t in range(threads + 1)]
        list(_pool(threads).map(work, bounds[:-1], bounds[1:]))


class _Sweep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        shared: Tensor,
        batched: Tensor,
        amplitudes: Tensor,
        what: tuple[CpuExecutor, Call],
    ) -> Tensor:
        executor, call = what
        keep = any(ctx.needs_input_grad[:3])
        angles, rows, start = _arrays(shared, batched, amplitudes)
        run = executor.run
        values, ctx.states, ctx.saved = run(angles, rows, start, call.normalise, keep)
        ctx.what = what
        ctx.save_for_backward(shared, batched, amplitudes)
        return torch.from_numpy(np.ascontiguousarray(values))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        inputs, (executor, call) = ctx.saved_tensors, ctx.what
        if torch.is_grad_enabled():  # create_graph=True: the sweep itself has no derivative
            wanted = ctx.needs_input_grad[:3]
            found = _differentiable(ctx.what, inputs, wanted, grad)
            return (*found, None)
        if ctx.states is None:  # used up by an earlier backward pass (retain_graph=True)
            angles, rows, start = _arrays(*inputs)
            _, ctx.states, ctx.saved = executor.run(angles, rows, start, call.normalise, True)
        states, ctx.states = ctx.states, None
        gradients = executor.gradient(*_arrays(grad), states, ctx.saved, ctx.needs_input_grad[2])
        wanted = zip(gradients, inputs, ctx.needs_input_grad, strict=False)
        found = [torch.from_numpy(g).to(x.dtype) if need else None for g, x, need in wanted]
        return (*found, None)


def _differentiable(
    what: tuple[CpuExecutor, Call], inputs: Sequence[Tensor], needed: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    executor, call = what
    shared, batched, amplitudes = inputs
    start = amplitudes if amplitudes.shape[1] else None
    values = executor.twin(shared, batched, start, call)
    wanted = [x for x, need in zip(inputs, needed, strict=False) if need and x.numel()]
    found = iter(
        torch.autograd.grad(values, wanted, grad, create_graph=True, materialize_grads=True)
    )
    return [
        next(found) if need and x.numel() else None for x, need in zip(inputs, needed, strict=False)
    ]


def _arrays(*tensors: Tensor) -> list[npt.NDArray[Any]]:
    """Views on the tensors' memory, without gradient."""
    return [memory_view(tensor) for tensor in tensors]


def _half_angles(angles: npt.NDArray[Any], dtype: Any) -> npt.NDArray[Any]:
    """Cosines and sines of half the angles, as a new second axis; computed in doubles."""
    half = np.multiply(angles, 0.5, dtype=np.float64)
    return np.ascontiguousarray(np.stack([np.cos(half), np.sin(half)], axis=1), dtype)


def _padded(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    """Rows of zeros behind the batch, so that the last tile is whole."""
    if len(array) == rows:
        return np.ascontiguousarray(array)
    padded = np.zeros((rows, array.shape[1]), array.dtype)
    padded[: len(array)] = array
    return padded


def _dense_arrays(plan: Plan) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
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


@lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="qvlm")


def _in_forked_child() -> None:
    """Forget the parent's threads, ours and torch's: whoever waits for them waits for ever."""
    _pool.cache_clear()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_in_forked_child)
