"""The compiled sweeps for groups of samples, each with shared angles of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.executors.tiles import spread, tiled, untiled
from qvlm_qiskit.quantum.statevector.cpu.executor import CpuExecutor, half_angles
from qvlm_qiskit.quantum.statevector.cpu.kernel_cache import announce

Array = npt.NDArray[Any]


class GroupedExecutor:
    """Runs a plan from |0…0⟩ for R groups of equally many samples, one group after the other.

    Gates of shared angles are made once per group, as they are once per batch without groups.
    """

    def __init__(self, executor: CpuExecutor) -> None:
        """Keep the executor whose plan is run."""
        self.executor = executor

    def run(
        self, shared: Array, batched: Array, amplitudes: Array | None, call: Call, keep: bool
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """As `CpuExecutor.run`.

        Args:
            shared: Angles of every group, ``(R, n_shared)``.
            batched: Angles of every sample, ``(B, n_batched)``, group by group.
            amplitudes: None: states start in |0…0⟩.
            call: How.
            keep: Whether a way back will follow.
        """
        plan, dtype = self.executor.plan, call.numbers
        groups, each = len(shared), len(batched) // len(shared)
        lanes = self.executor.lanes(dtype, each)
        tiles, driver = -(-each // lanes), self.executor.driver(lanes)
        announce(driver)
        rows = batched.reshape(groups, each, batched.shape[1])
        trig = [half_angles(*own, tiles, lanes, dtype) for own in zip(shared, rows, strict=True)]
        size = lanes << plan.num_qubits
        states = np.empty((groups if keep else 0, tiles, 2, size), dtype)
        out = np.zeros((groups, tiles, self.executor.num_observables, lanes), dtype)
        nothing = np.empty((tiles * lanes, 0), dtype), np.empty((0, 2))

        def work(first: int, last: int) -> None:
            scratch = np.empty((0 if keep else 1, 2, size), dtype)
            for group in range(first, last):
                target = states[group] if keep else scratch
                driver.forward(
                    self.executor.arrays, trig[group], shared.shape[1], *nothing, target,
                    out[group], 0, tiles, keep,
                )  # fmt: skip

        spread(work, groups, self.executor.threads(groups * tiles * lanes))
        return _rows(out, each), states, (trig, shared.shape[1], each, nothing)

    def gradient(
        self, grad: Array, states: Array, saved: tuple[Any, ...], with_amplitudes: bool
    ) -> tuple[Array, Array, Array | None]:
        """Gradients for shared angles ``(R, n_shared)`` and batched ones; uses up ``states``."""
        trig, num_shared, each, nothing = saved
        groups, tiles, _, size = states.shape
        lanes = size >> self.executor.plan.num_qubits
        driver, dtype = self.executor.driver(lanes), states.dtype
        num_batched = (trig[0].shape[1] - num_shared) // (tiles * lanes)
        d_shared = np.zeros((groups, num_shared))
        d_angles = np.zeros((groups, tiles, num_batched, lanes), dtype)
        d_start = np.empty((tiles * lanes, 0), dtype)
        no_lambdas = np.empty((0, 2, size), dtype)
        seeds = grad.reshape(groups, each, grad.shape[1])

        def work(first: int, last: int) -> None:
            for group in range(first, last):
                driver.backward(
                    self.executor.arrays, trig[group], num_shared, *nothing, states[group],
                    tiled(seeds[group], tiles, lanes), no_lambdas, d_shared[group],
                    d_angles[group], d_start, 0, tiles,
                )  # fmt: skip

        spread(work, groups, self.executor.threads(groups * tiles * lanes))
        return d_shared, _rows(d_angles, each), None


def _rows(array: Array, each: int) -> Array:
    """``(R, tiles, n, lanes)`` as ``(B, n)``, group by group."""
    groups, tiles, width, lanes = array.shape
    flat = untiled(array.reshape(groups * tiles, width, lanes), groups * tiles * lanes)
    whole = flat.reshape(groups, tiles * lanes, width)
    return np.ascontiguousarray(whole[:, :each].reshape(groups * each, width))
