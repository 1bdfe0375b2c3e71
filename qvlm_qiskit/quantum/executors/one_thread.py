"""Many small torch operations in one thread, there and back.

torch hands every product of matrices to all its threads. Where the products are small, waking the
threads and waiting for the last of them costs more than they save, on a busy machine ten times
more (docs/log.md). A backward pass runs long after its forward pass has ended, so that the number
of threads can't be set around both: here both are inside one node of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from qvlm_qiskit.quantum.torch_support.transforms import differentiable_gradients, require_single

SPREAD = 1 << 15
"""Numbers that torch leaves to one thread."""
Operations = Callable[..., Tensor]


def on_one_thread(operations: Operations, *given: Tensor | None) -> Tensor:
    """``operations(*given)`` and, later, its gradients, with one of torch's threads.

    Args:
        operations: Torch operations on these tensors and on no other that needs a gradient.
        given: On the CPU, and not under a ``torch.func`` transform.
    """
    return cast(Tensor, _OneThread.apply(operations, *given))  # type: ignore[no-untyped-call]


@contextmanager
def one_thread(numbers: int = SPREAD + 1) -> Iterator[None]:
    """Torch uses one thread in here, in the calling thread.

    Also for reductions that are followed by compiled sweeps in threads of our own: torch's spin for
    a while after their work, on the processors that the sweeps need.

    Args:
        numbers: Of the largest operation in here; where torch would spread none, nothing is set.
    """
    threads = torch.get_num_threads()
    if threads == 1 or numbers <= SPREAD:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def tanh(values: Tensor) -> Tensor:
    """``torch.tanh`` that wakes no threads for few numbers.

    torch leaves the hyperbolic tangent to MKL, which hands 256 numbers to all threads already; on a
    busy machine they then wait for each other for ten thousand times as long as it takes
    (docs/log.md).

    Args:
        values: Of any shape, on any device, also in a graph that is compiled.
    """
    if torch.compiler.is_compiling() or values.device.type != "cpu" or values.numel() > SPREAD:
        return torch.tanh(values)
    with one_thread():
        return torch.tanh(values)


class _OneThread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, operations: Operations, *given: Tensor | None) -> Tensor:
        ctx.operations = operations
        ctx.save_for_backward(*given)
        ctx.inside = _inside(operations, given, ctx.needs_input_grad[1:])
        result: Tensor = ctx.inside[1]
        return result.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        given, needed = ctx.saved_tensors, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # create_graph=True: what is inside ends there
            return (None, *differentiable_gradients(ctx.operations(*given), given, needed, grad))
        if ctx.inside is None:  # used up by an earlier pass (retain_graph=True)
            ctx.inside = _inside(ctx.operations, given, needed)
        (leaves, result), ctx.inside = ctx.inside, None
        if not result.requires_grad:  # it depends on none of them
            return (None, *(None for _ in needed))
        wanted = [t for t in leaves if t is not None and t.requires_grad]
        with one_thread():
            found = iter(torch.autograd.grad(result, wanted, grad, allow_unused=True))
        return (None, *(next(found) if need else None for need in needed))


def _inside(
    operations: Operations, given: tuple[Tensor | None, ...], needed: tuple[bool, ...]
) -> tuple[list[Tensor | None], Tensor]:
    """Leaves in the place of what was given, and the result with its graph down to them."""
    with one_thread(), torch.set_grad_enabled(any(needed)):
        leaves = [
            None if tensor is None else tensor.detach().requires_grad_(need)
            for tensor, need in zip(given, needed, strict=True)
        ]
        return leaves, operations(*leaves)
