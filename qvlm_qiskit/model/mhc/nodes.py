"""Hyper-connections as nodes of torch's graph: before a block, after it, and at the decoder's end.

The node before a block hands the streams on to the one after it, and so gets the gradient of what
they do there: all that the streams' gradient is made of is added up in one pass. Kept for the way
back are the streams, which both share, the block's output, and fewer than 3n(n + 2) numbers per
token more; Sinkhorn's iterations are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.model.mhc import head, kernels
from qvlm_qiskit.model.mhc.kernels import CHUNK_TOKENS
from qvlm_qiskit.model.mhc.sinkhorn import LANES
from qvlm_qiskit.quantum.executors.tiles import spread
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from qvlm_qiskit.quantum.torch_support.transforms import is_batched, is_transformed

Array = npt.NDArray[Any]
Tensors = tuple[Tensor, ...]
_NUMBERS: dict[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}
_PLAIN = (Tensor, torch.nn.Parameter)
THREAD_NUMBERS = 1 << 17
"""Numbers of streams that are worth a thread of their own."""


@dataclass(frozen=True)
class Constants:
    """What is computed with, beside tensors.

    Attributes:
        eps: Added to weights, and to sums of rows and columns.
        norm_eps: Added to mean squares.
        steps: Normalisations of the mixing matrix, columns and rows in turn.
    """

    eps: float
    norm_eps: float
    steps: int = 0


@dataclass(frozen=True)
class Formula:
    """What a node computes, in torch operations, for second derivatives.

    Attributes:
        constants: What it computes with.
        twin: The same function of the node's tensors; its results are the node's first ones.
    """

    constants: Constants
    twin: Callable[..., Tensors]


def is_compiled(*tensors: Tensor) -> bool:
    """Whether kernels can compute with these: plain tensors on the CPU, all of one precision.

    Not while torch traces, compiles, exports, transforms or watches operations.
    """
    dtype = tensors[0].dtype
    return (
        dtype in _NUMBERS
        and all(type(t) in _PLAIN and t.dtype == dtype and t.is_cpu for t in tensors)
        and not torch.compiler.is_compiling()
        and torch._C._get_tracing_state() is None  # noqa: SLF001
        and not torch._C._len_torch_dispatch_stack()  # noqa: SLF001
        and not is_transformed(*tensors)
    )


def enter(
    x: Tensor, fn: Tensor, base: Tensor, scale: Tensor, formula: Formula
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Before a block.

    Args:
        x: Streams ``(B, T, n, D)``, contiguous.
        fn: ``(n(n + 2), n D)``.
        base: ``(n(n + 2),)``.
        scale: ``(3,)``.
        formula: What is computed.

    Returns:
        Weights ``(B, T, n)`` and ``(B, T, n, n)``, the block's input ``(B, T, D)``, and the streams
        again, for :func:`leave`.
    """
    found = _Enter.apply(x, fn, base, scale, formula)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, Tensor, Tensor, Tensor], found)


def leave(post: Tensor, comb: Tensor, x: Tensor, block: Tensor, formula: Formula) -> Tensor:
    """After a block: its output ``(B, T, D)`` for each stream, and the streams mixed."""
    found = _Leave.apply(post, comb, x, block, formula)  # type: ignore[no-untyped-call]
    return cast(Tensor, found)


def collapse(x: Tensor, fn: Tensor, base: Tensor, scale: Tensor, formula: Formula) -> Tensor:
    """At the decoder's end: streams ``(B, T, n, D)``, contiguous, as one.

    ``fn`` is ``(n, n D)``, ``base`` ``(n,)`` and ``scale`` ``(1,)``.
    """
    found = _Collapse.apply(x, fn, base, scale, formula)  # type: ignore[no-untyped-call]
    return cast(Tensor, found)


class _Enter(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, fn: Tensor, base: Tensor, scale: Tensor, formula: Formula
    ) -> Any:
        tokens = _Tokens(x)
        keep = any(ctx.needs_input_grad)
        n, rows = tokens.n, len(base)
        factors = tokens.made()
        kept = tokens.array((tokens.tiles if keep else 0, 2 * rows * LANES))
        found = tokens.made(n), tokens.made(n, n), tokens.made(tokens.size)
        given = (
            flat(x), *map(_parameter, (fn, base, scale)), tokens.numbers(formula.constants),
            formula.constants.steps, (0,) * n, tokens.size,
        )  # fmt: skip
        results = [array.reshape(-1) for array in (factors, kept, *found)]
        tokens.spread(lambda first, last: kernels.enter(*given, *results, keep, first, last))
        ctx.formula = formula
        ctx.save_for_backward(x, fn, base, scale, *map(torch.from_numpy, (factors, kept)))
        return (*map(torch.from_numpy, found), x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, factors, kept = ctx.saved_tensors
        if _is_followed(*grads):
            return *_by_formula(ctx, inputs, grads[:3], grads[3]), None
        x, fn, _, scale = inputs
        tokens, constants = _Tokens(x), ctx.formula.constants
        # only `leave` has made the streams' gradient, and nobody else has it
        d_x = grads[3].contiguous().resolve_neg()
        parts = tokens.parts(inputs[1:])
        given = (
            flat(x), _parameter(fn), _parameter(scale), tokens.numbers(constants), constants.steps,
            (0,) * tokens.n, tokens.size, flat(factors), flat(kept), *map(flat, grads[:3]),
        )  # fmt: skip
        results = [flat(d_x), *(part.reshape(-1) for part in parts)]
        tokens.spread(lambda first, last: kernels.enter_back(*given, *results, first, last))
        return *_wanted(ctx, d_x, *map(_summed, parts)), None


class _Leave(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, post: Tensor, comb: Tensor, x: Tensor, block: Tensor, formula: Formula
    ) -> Tensor:
        tokens = _Tokens(x)
        out = tokens.array(x.shape)
        given = flat(x), flat(block), flat(post), flat(comb), (0,) * tokens.n, tokens.size
        result = out.reshape(-1)
        tokens.spread(lambda first, last: kernels.leave(*given, tokens.count, result, first, last))
        ctx.formula = formula
        ctx.save_for_backward(post, comb, x, block)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        if _is_followed(grad):
            return *_by_formula(ctx, inputs, [grad]), None
        post, comb, x, block = inputs
        tokens = _Tokens(x)
        found = [tokens.array(t.shape) for t in inputs]
        given = flat(x), flat(block), flat(post), flat(comb), (0,) * tokens.n, tokens.size
        seeds, results = flat(grad), [array.reshape(-1) for array in found]
        tokens.spread(
            lambda first, last: kernels.leave_back(
                *given, tokens.count, seeds, *results, first, last
            )
        )
        return *_wanted(ctx, *map(torch.from_numpy, found)), None


class _Collapse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, fn: Tensor, base: Tensor, scale: Tensor, formula: Formula
    ) -> Tensor:
        tokens = _Tokens(x)
        factors, kept, out = tokens.made(), tokens.made(2, tokens.n), tokens.made(tokens.size)
        given = (
            flat(x), *map(_parameter, (fn, base, scale)), tokens.numbers(formula.constants),
            (0,) * tokens.n, tokens.size,
        )  # fmt: skip
        results = [array.reshape(-1) for array in (factors, kept, out)]
        tokens.spread(lambda first, last: head.collapse(*given, *results, first, last))
        ctx.formula = formula
        ctx.save_for_backward(x, fn, base, scale, *map(torch.from_numpy, (factors, kept)))
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, factors, kept = ctx.saved_tensors
        if _is_followed(grad):
            return *_by_formula(ctx, inputs, [grad]), None
        x, fn, _, scale = inputs
        tokens = _Tokens(x)
        d_x = tokens.array(x.shape)
        parts = tokens.parts(inputs[1:])
        given = (
            flat(x), _parameter(fn), _parameter(scale), tokens.numbers(ctx.formula.constants),
            (0,) * tokens.n, tokens.size, flat(factors), flat(kept), flat(grad),
        )  # fmt: skip
        results = [d_x.reshape(-1), *(part.reshape(-1) for part in parts)]
        tokens.spread(lambda first, last: head.collapse_back(*given, *results, first, last))
        return *_wanted(ctx, torch.from_numpy(d_x), *map(_summed, parts)), None


class _Tokens:
    """Sizes of streams, arrays like them, and how they are spread over threads."""

    def __init__(self, x: Tensor) -> None:
        *self.lead, self.n, self.size = x.shape
        self.count = x.shape[:-2].numel()
        self.tiles = -(-self.count // LANES)
        self.chunks = -(-self.count // CHUNK_TOKENS)
        self.dtype = _NUMBERS[x.dtype]
        self.torch_dtype = x.dtype

    def made(self, *shape: int) -> Array:
        """Room for numbers of each token."""
        return self.array((*self.lead, *shape))

    def array(self, shape: tuple[int, ...]) -> Array:
        """Room for numbers."""
        return torch.empty(shape, dtype=self.torch_dtype, device="cpu").numpy()

    def parts(self, parameters: Sequence[Tensor]) -> list[Array]:
        """Zeros for gradients of parameters, chunk by chunk."""
        found = [self.array((self.chunks, *parameter.shape)) for parameter in parameters]
        for part in found:
            part.fill(0)
        return found

    def numbers(self, constants: Constants) -> Array:
        """Constants for kernels."""
        return np.array([constants.eps, constants.norm_eps], self.dtype)

    def spread(self, work: Callable[[int, int], None]) -> None:
        """Call ``work`` for all chunks, in as many threads as they are worth, at most torch's."""
        most = torch.get_num_threads()
        worth = max(1, self.count * self.n * self.size // THREAD_NUMBERS)
        spread(work, self.chunks, min(most, worth))


def flat(tensor: Tensor) -> Array:
    """The numbers of an activation or a gradient, in order."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_neg() or not tensor.is_contiguous():
        tensor = tensor.resolve_neg().contiguous()
    return tensor.numpy().reshape(-1)


def _parameter(tensor: Tensor) -> Array:
    return memory_view(tensor).reshape(-1)


def _summed(part: Array) -> Tensor:
    """Over chunks; not by torch, whose threads would wait for each other and keep ours waiting."""
    return torch.from_numpy(part.sum(axis=0))


def _wanted(ctx: Any, *found: Tensor) -> list[Tensor | None]:
    needed = ctx.needs_input_grad
    return [value if need else None for value, need in zip(found, needed, strict=False)]


def _is_followed(*grads: Tensor) -> bool:
    """Whether torch follows the way back: for second derivatives, or for a batch of gradients."""
    return torch.is_grad_enabled() or any(map(is_batched, grads))


def _by_formula(
    ctx: Any, inputs: Sequence[Tensor], grads: Sequence[Tensor], beside: Tensor | None = None
) -> list[Tensor | None]:
    """Gradients by the twin; ``beside`` is added to the first."""
    create, needed = torch.is_grad_enabled(), ctx.needs_input_grad
    with torch.enable_grad():
        # an input may have been made of another one, such as a block's output
        inputs = [x.view_as(x) for x in inputs]
        values = ctx.formula.twin(*inputs)
    wanted = [x for x, need in zip(inputs, needed, strict=False) if need]
    found = iter(
        torch.autograd.grad(values, wanted, list(grads), create_graph=create, allow_unused=True)
    )
    gradients = [next(found) if need else None for need in needed[: len(inputs)]]
    if beside is not None and needed[0]:
        gradients[0] = beside if gradients[0] is None else gradients[0] + beside
    return gradients
