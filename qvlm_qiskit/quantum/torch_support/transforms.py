"""``torch.func`` transforms and forward-mode derivatives: where they are noticed.

The compiled sweeps and the primitive interface leave torch, so vmap, grad, jacrev, jvp and the like
can't follow them. Plain torch operations can be followed: the exact engine uses those instead.

Torch has no public name for "a transform is active", nor for a way out of one; what is used here is
what ``torch.autograd.Function.apply`` and torch's own random state use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd import forward_ad

from qvlm_qiskit.errors import InputError


def may_look(values: Tensor) -> bool:
    """Whether values can be looked at: on the CPU, outside of ``torch.func`` and of an export.

    On a device a step would wait for them.
    """
    there = values.device.type == "cpu" and not is_functional()
    return there and not torch.compiler.is_exporting()


def is_transformed(*tensors: Tensor) -> bool:
    """Whether a ``torch.func`` transform is active, or a tensor carries a forward-mode tangent.

    Raises:
        InputError: The tangent is a batch of them, as in ``jacobian(…, strategy="forward-mode")``.
    """
    if forward_ad._current_level < 0:  # noqa: SLF001  (nobody differentiates forwards)
        return torch._C._are_functorch_transforms_active()  # noqa: SLF001
    unpacked = (forward_ad.unpack_dual(tensor) for tensor in tensors)  # type: ignore[no-untyped-call]
    tangents = [dual.tangent for dual in unpacked if dual.tangent is not None]
    for tangent in tangents:
        require_single(tangent)
    return bool(tangents) or torch._C._are_functorch_transforms_active()  # noqa: SLF001


def may_leave_torch(*given: Tensor) -> bool:
    """Whether tensors can be computed with in a node of the graph that torch does not see into.

    Raises:
        InputError: As :func:`is_transformed`.
    """
    return (
        given[0].device.type == "cpu"
        and not is_transformed(*given)
        and not torch.compiler.is_exporting()
    )


def require_single(derivative: Tensor) -> None:
    """Make sure that a gradient or tangent is one, not one of a batch under torch's older vmap.

    Raises:
        InputError: It is one of ``is_grads_batched=True`` or ``jacobian(…, vectorize=True)``.
    """
    if is_batched(derivative):
        raise InputError(
            "a quantum layer takes one gradient at a time from torch.autograd: leave out "
            "vectorize=True or is_grads_batched=True, or use torch.func.jacrev or jacfwd"
        )


def is_batched(derivative: Tensor) -> bool:
    """Whether a gradient or tangent is a batch of them under torch's older vmap."""
    return bool(torch._C._functorch.is_legacy_batchedtensor(derivative))  # noqa: SLF001


def differentiable_gradients(
    values: Tensor, inputs: Sequence[Tensor | None], needed: Sequence[bool], grad: Tensor
) -> list[Tensor | None]:
    """The gradients of values by the inputs that need one, as parts of the graph themselves.

    None for the others, and for empty ones.
    """
    uses = [
        x if need and x is not None and x.numel() else None
        for x, need in zip(inputs, needed, strict=False)
    ]
    wanted = [x for x in uses if x is not None]
    found = iter(
        torch.autograd.grad(values, wanted, grad, create_graph=True, materialize_grads=True)
    )
    return [None if x is None else next(found) for x in uses]


@contextmanager
def constants() -> Iterator[None]:
    """Tensors made in here can be kept: they belong to no transform and no inference mode."""
    with torch.inference_mode(False), torch._C._DisableFuncTorch():  # noqa: SLF001
        yield


def is_functional() -> bool:
    """Whether a ``torch.func`` transform is active: values can't be looked at then."""
    return torch._C._are_functorch_transforms_active()  # noqa: SLF001
