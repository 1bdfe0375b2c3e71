"""Compiled sweeps as one node of torch's graph: from parameters to expectation values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.program.binding import AngleMap
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from qvlm_qiskit.quantum.torch_support.transforms import differentiable_gradients, require_single

Array = npt.NDArray[Any]
Twin = Callable[[Tensor, Tensor, Tensor | None, Call], Tensor]
"""The same function of the same tensors in torch operations, for second derivatives."""


_NUMBERS = {torch.float32: np.float32, torch.float64: np.float64}


class Executor(Protocol):
    """Compiled sweeps: of statevectors, or of density matrices."""

    def run(
        self, shared: Array, batched: Array, amplitudes: Array | None, call: Call, keep: bool
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """Values, final states by tile (empty unless ``keep``), and what the way back needs.

        Args:
            shared: Angles that all samples share, ``(n_shared,)``.
            batched: Angles per sample, ``(B, n_batched)``.
            amplitudes: Initial states ``(B, 2**n)`` of the call's dtype, or None for |0…0⟩.
            call: How.
            keep: Whether the way back will follow.
        """
        ...

    def gradient(
        self, grad: Array, states: Array, saved: tuple[Any, ...], with_amplitudes: bool
    ) -> tuple[Array, Array, Array | None]:
        """Gradients for shared angles, batched angles and amplitudes; may use up ``states``."""
        ...


class Angles(Protocol):
    """How a node's tensors become the plan's angles."""

    def bind(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """Angles that samples share ``(n_shared,)``, and those that they don't ``(B, …)``."""
        ...

    def pull(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """Gradients by the node's tensors, from those by the angles."""
        ...


class GivenAngles:
    """The tensors are the angles."""

    def bind(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """As they come."""
        return shared, batched

    def pull(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """As they come."""
        return shared, batched


@dataclass(frozen=True, eq=False)
class AffineAngles:
    """The tensors are parameters, of which the angles are affine functions.

    Attributes:
        shared: The angles that all samples share.
        batched: The others.
    """

    shared: AngleMap
    batched: AngleMap

    def bind(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """Angles of weights and of rows ``(B, n_inputs)``."""
        own = self.batched.numbers(batched, shared)
        if len(own) != len(batched):
            own = np.broadcast_to(own, (len(batched), own.shape[1]))
        return self.shared.numbers(None, shared)[0], own

    def pull(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """Gradients of weights and of rows."""
        weights = self.shared.pull_weights(shared)
        if self.batched.reads_weights:
            weights = weights + self.batched.pull_weights(batched.sum(axis=0))
        return weights, self.batched.pull_inputs(batched)


@dataclass(frozen=True, eq=False)
class GroupedAngles:
    """Affine angles of groups of samples, of which each has shared parameters of its own.

    Attributes:
        shared: The angles that a group's samples share.
        batched: The others, of which none depends on a shared parameter.
    """

    shared: AngleMap
    batched: AngleMap

    def bind(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """Angles ``(R, n_shared)`` of weights ``(R, n_weights)``, and of rows ``(B, n_inputs)``."""
        own = self.batched.numbers(batched, shared)
        if len(own) != len(batched):
            own = np.broadcast_to(own, (len(batched), own.shape[1]))
        size = (len(shared), self.shared.size)
        common = self.shared.numbers(None, shared)
        return np.broadcast_to(common.reshape(common.shape[-2:]), size), own

    def pull(self, shared: Array, batched: Array) -> tuple[Array, Array]:
        """Gradients of weights and of rows."""
        return self.shared.pull_weights(shared), self.batched.pull_inputs(batched)


@dataclass(frozen=True, eq=False)
class Task:
    """What a node does.

    Attributes:
        executor: The sweeps.
        angles: What they are given.
        call: The states' precision, and whether initial states have any scale.
        twin: For second derivatives.
    """

    executor: Executor
    angles: Angles
    call: Call
    twin: Twin

    def values(self, shared: Tensor, batched: Tensor, amplitudes: Tensor | None) -> Tensor:
        """Values ``(B, n_observables)``.

        Args:
            shared: What all samples share, ``(n,)``.
            batched: What they don't, ``(B, n)``.
            amplitudes: Initial states ``(B, 2**n)`` of the call's dtype, or None for |0…0⟩.
        """
        return cast(
            Tensor,
            _Sweep.apply(shared, batched, amplitudes, self),  # type: ignore[no-untyped-call]
        )

    def run(
        self, shared: Tensor, batched: Tensor, amplitudes: Tensor | None, keep: bool
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """What :meth:`Executor.run` returns."""
        angles, rows = self.angles.bind(memory_view(shared), memory_view(batched))
        start = None if amplitudes is None else memory_view(amplitudes)
        return self.executor.run(angles, rows, start, self.call, keep)


class _Sweep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, shared: Tensor, batched: Tensor, amplitudes: Tensor | None, task: Task
    ) -> Tensor:
        keep = task.call.keep and any(ctx.needs_input_grad)
        values, states, ctx.saved = task.run(shared, batched, amplitudes, keep)
        ctx.states = states if keep else None
        ctx.task = task
        ctx.dtypes = shared.dtype, batched.dtype, task.call.dtype
        ctx.save_for_backward(shared, batched, amplitudes)
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        task, needed = ctx.task, ctx.needs_input_grad
        if torch.is_grad_enabled():  # create_graph=True: the sweep itself has no derivative
            return (*differentiable(task, ctx.saved_tensors, needed, grad), None)
        if ctx.states is None:  # not kept, or used up by an earlier pass (retain_graph=True)
            return (*gradients_again(task, ctx.saved_tensors, needed, grad), None)
        states, ctx.states = ctx.states, None
        return (*_gradients(task, states, ctx.saved, ctx.dtypes, needed, grad), None)


def gradients_again(
    task: Task, inputs: Sequence[Tensor | None], needed: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    """The gradients of a task's values by what it was given, from states computed anew.

    None for what needs none.
    """
    shared, batched, amplitudes = inputs
    assert shared is not None
    assert batched is not None
    _, states, saved = task.run(shared, batched, amplitudes, keep=True)
    dtypes = shared.dtype, batched.dtype, task.call.dtype
    return _gradients(task, states, saved, dtypes, needed, grad)


def _gradients(
    task: Task,
    states: Array,
    saved: tuple[Any, ...],
    dtypes: Sequence[torch.dtype],
    needed: Sequence[bool],
    grad: Tensor,
) -> list[Tensor | None]:
    seeds = memory_view(grad)
    by_weights, by_rows, start = task.executor.gradient(seeds, states, saved, needed[2])
    gradients = (*task.angles.pull(by_weights, by_rows), start)
    return [
        torch.from_numpy(g.astype(_NUMBERS[dtype], copy=False)) if need and g is not None else None
        for g, dtype, need in zip(gradients, dtypes, needed, strict=False)
    ]


def differentiable(
    task: Task, inputs: Sequence[Tensor | None], needed: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    """The same as parts of the graph themselves, by torch operations."""
    shared, batched, amplitudes = inputs
    assert shared is not None
    assert batched is not None
    values = task.twin(shared, batched, amplitudes, task.call)
    return differentiable_gradients(values, inputs, needed, grad)
