"""Small circuits: a call is one kernel forwards and one back, from parameters to values.

What a general call does in Python (looking tensors through, making arrays of them, binding angles,
choosing tiles) takes several times as long as the sweeps of a few qubits. Here all that depends on
a call's shapes alone is kept, and the kernels take the addresses of tensors. They compute nothing
of numbers that are not finite or enormous: such a call, and any other that is not plain, is left to
the general way, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import Parameter

from qvlm_qiskit.quantum.executors.node import AffineAngles, Task, differentiable, gradients_again
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from qvlm_qiskit.quantum.torch_support.transforms import may_leave_torch, require_single

Array = npt.NDArray[Any]
MOST_ANGLES = 1 << 11
"""Of more sines and cosines, NumPy computes several at a time, which makes up for its calls."""
_SINGLE = {torch.float32: True, torch.float64: False}
_PLAIN = (Tensor, Parameter)
_HERE = torch.device("cpu")
_REST = (None, None, None)


@dataclass(frozen=True, eq=False)
class Layout:
    """What depends on a call's shapes alone.

    Attributes:
        forward: The kernel of the way forward.
        backward: That of the way back.
        table: Addresses of what they read.
        arrays: What lies there.
        lanes: Samples side by side.
        kept: How many numbers the way back needs of the way forward.
        values: The shape of the values.
        weights: The shape of the weights.
        rows: That of the rows.
        numbers: The states' precision.
    """

    forward: Callable[..., bool]
    backward: Callable[..., None]
    table: Array
    arrays: tuple[Array, ...]
    lanes: int
    kept: int
    values: tuple[int, int]
    weights: tuple[int]
    rows: tuple[int, int]
    numbers: np.dtype[Any]


class Compiled(Protocol):
    """An executor whose kernels can run whole calls."""

    def layout(self, task: Task, batch: int) -> Layout | None:
        """How a call of so many samples runs; None where one kernel is not the way."""
        ...


class AtOnce:
    """Calls of one task.

    Args:
        executor: Of the task.
        task: Of affine angles, from |0…0⟩; also the way of second derivatives.
    """

    def __init__(self, executor: Compiled, task: Task) -> None:
        self.task = task
        self._executor = executor
        self._layouts: dict[int, Layout | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy the arrays lie elsewhere."""
        return {**self.__dict__, "_layouts": {}}

    def values(self, weight: Tensor, rows: Tensor) -> Tensor | None:
        """Values ``(B, n_observables)``, in the graph of both.

        Args:
            weight: ``(n_weights,)``.
            rows: ``(B, n_inputs)``.

        Returns:
            None where the call is left to the general way.
        """
        if not (may_leave_torch(rows, weight) and _is_plain(rows) and _is_plain(weight)):
            return None
        layout = self._layout(rows.shape[0])
        if layout is None or weight.shape != layout.weights or rows.shape != layout.rows:
            return None
        found = self.forward(layout, weight, rows)
        if found is None:
            return None
        if torch.is_grad_enabled() and (weight.requires_grad or rows.requires_grad):
            made: Tensor = _Node.apply(weight, rows, self, layout, found)  # type: ignore[no-untyped-call]
            return made
        return torch.from_numpy(found[0])

    def _layout(self, batch: int) -> Layout | None:
        """How a call of so many samples runs."""
        try:
            return self._layouts[batch]
        except KeyError:
            made = self._layouts[batch] = self._executor.layout(self.task, batch)
            return made

    def forward(self, layout: Layout, weight: Tensor, rows: Tensor) -> tuple[Array, Array] | None:
        """Values, and what the way back needs; None for numbers that want a closer look."""
        row_step, column_step = rows.stride()
        kept = np.empty(layout.kept, layout.numbers)
        values = np.empty(layout.values, layout.numbers)
        fine = layout.forward(
            layout.table, weight.data_ptr(), weight.stride()[0], _SINGLE[weight.dtype],
            rows.data_ptr(), row_step, column_step, _SINGLE[rows.dtype], layout.lanes, kept,
            values,
        )  # fmt: skip
        return (values, kept) if fine else None

    def backward(
        self, layout: Layout, grad: Tensor, kept: Array, weight: Tensor | None, rows: Tensor | None
    ) -> None:
        """Write the gradients by weights and by rows, where they are wanted."""
        if not _is_plain(grad):
            grad = torch.from_numpy(np.array(memory_view(grad)))
        row_step, column_step = grad.stride()
        layout.backward(
            layout.table, grad.data_ptr(), row_step, column_step, grad.shape[1],
            *_target(weight), *_target(rows), layout.lanes, grad.shape[0], kept,
        )  # fmt: skip


def table_of(
    plan: Iterable[Array], angles: AffineAngles
) -> tuple[npt.NDArray[np.int64], tuple[Array, ...]]:
    """What a kernel reads of a plan, and the arrays that have to be kept as long.

    Returns:
        Address and three sizes of every array, of the plan and then of its angles; at the end how
        many weights and inputs there are.
    """
    given = (*plan, *angles.shared.entries(), *angles.batched.entries())
    arrays = tuple(np.ascontiguousarray(array) for array in given)
    fields = [
        number for array in arrays for number in (array.ctypes.data, *array.shape, 1, 1, 1)[:4]
    ]
    sizes = angles.batched.num_weights, angles.batched.num_inputs
    return np.array([*fields, *sizes], dtype=np.int64), arrays


def worth_one_kernel(angles: int, threads: int) -> bool:
    """Whether a call is so small that one kernel in one thread is the fastest way.

    Args:
        angles: How many sines and cosines it takes.
        threads: How many it would be worth.
    """
    return angles <= MOST_ANGLES and threads <= 1 and not numba.config.DISABLE_JIT


def _is_plain(tensor: Tensor) -> bool:
    """Whether its numbers lie in this machine's memory as its strides say."""
    return (
        type(tensor) in _PLAIN
        and tensor.is_cpu
        and tensor.dtype in _SINGLE
        and tensor.layout is torch.strided
        and not tensor.is_neg()
        # what is known to be zero has no memory
        and (tensor.data_ptr() != 0 or tensor.numel() == 0)
    )


def _target(tensor: Tensor | None) -> tuple[int, bool]:
    return (0, False) if tensor is None else (tensor.data_ptr(), _SINGLE[tensor.dtype])


class _Node(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        weight: Tensor,
        rows: Tensor,
        calls: AtOnce,
        layout: Layout,
        found: tuple[Array, Array],
    ) -> Tensor:
        ctx.calls, ctx.layout, ctx.kept = calls, layout, [found[1]]
        ctx.made = weight.shape, weight.dtype, rows.shape, rows.dtype
        ctx.save_for_backward(weight, rows)
        return torch.from_numpy(found[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        task, needed = ctx.calls.task, (*ctx.needs_input_grad[:2], False)
        if torch.is_grad_enabled():  # create_graph=True: a kernel has no derivative
            return (*differentiable(task, (*ctx.saved_tensors, None), needed, grad)[:2], *_REST)
        try:
            kept = ctx.kept.pop()  # in one step: threads may share a graph
        except IndexError:  # used by an earlier pass (retain_graph=True)
            # by the same kernel: another one would round otherwise
            found = ctx.calls.forward(ctx.layout, *ctx.saved_tensors)
            if found is None:
                again = gradients_again(task, (*ctx.saved_tensors, None), needed, grad)
                return (*again[:2], *_REST)
            kept = found[1]
        shape, dtype, rows_shape, rows_dtype = ctx.made
        weight = torch.empty(shape, dtype=dtype, device=_HERE) if needed[0] else None
        rows = torch.empty(rows_shape, dtype=rows_dtype, device=_HERE) if needed[1] else None
        ctx.calls.backward(ctx.layout, grad, kept, weight, rows)
        return (weight, rows, *_REST)
