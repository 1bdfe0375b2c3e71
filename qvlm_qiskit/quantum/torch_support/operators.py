"""A quantum layer as one operator of torch, which ``torch.compile`` calls and doesn't look into.

A compiled program can't hold a circuit: it holds the number under which the layer is enrolled here.
The number means nothing in another process. Gradients are computed from the inputs again: what the
sweeps keep for the way back has no form that torch knows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from qvlm_qiskit.errors import InputError


class Evaluated(Protocol):
    """What a layer computes, on two-dimensional inputs."""

    @property
    def passes_gradients(self) -> bool:
        """Whether its inputs get gradients."""
        ...

    def warn_of_cut_gradient(self) -> None:
        """Say that they get none."""
        ...

    def values(
        self, rows: Tensor, weight: Tensor, features: Tensor | None, runs: bool = True
    ) -> Tensor:
        """Expectation values, differentiable; if not ``runs``, only their derivatives are right."""
        ...


_LAYERS: WeakValueDictionary[int, Evaluated] = WeakValueDictionary()
_numbers = itertools.count()


def enrol(layer: Evaluated) -> int:
    """A number under which a layer is found as long as it lives."""
    number = next(_numbers)
    _LAYERS[number] = layer
    return number


def _find(number: int) -> Evaluated:
    try:
        return _LAYERS[number]
    except KeyError:
        raise InputError(
            "a compiled program is run without its quantum layer: keep the layer, and compile "
            "or export it again in each process"
        ) from None


# values may be sampled: two calls are not one, and none is repeated
@torch.library.custom_op(
    "qvlm_qiskit::layer_values", mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,)
)
def layer_values(
    rows: Tensor, weight: Tensor, features: Tensor | None, layer: int, columns: int
) -> Tensor:
    """A layer's expectation values ``(B, columns)``, of the dtype of its inputs.

    Args:
        rows: ``(B, n_inputs)``, without those that features take the place of.
        weight: ``(n_weights,)``, or ``(R, n_weights)`` for rows in turns.
        features: ``(B, 2**n)``, or None: see ``QuantumLayer.encode``.
        layer: What :func:`enrol` returned.
        columns: The layer's observables.

    Raises:
        InputError: The layer is gone, or what it raises itself.
    """
    return _find(layer).values(rows, weight, features).clone()


@torch.library.custom_op(
    "qvlm_qiskit::layer_gradients", mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,)
)
def layer_gradients(
    outer: Tensor,
    rows: Tensor,
    weight: Tensor,
    features: Tensor | None,
    layer: int,
    needed: Sequence[bool],
) -> list[Tensor]:
    """Gradients by rows, weight and features, as far as they are needed.

    Args:
        outer: The gradient of the values, ``(B, columns)``.
        rows: As in :func:`layer_values`, like weight, features and layer.
        weight: As there.
        features: Or None.
        layer: What :func:`enrol` returned.
        needed: Of rows, weight and features.
    """
    given = [
        None if x is None else x.detach().requires_grad_(need)
        for x, need in zip((rows, weight, features), needed, strict=True)
    ]
    # operators are called below autograd
    with torch._C._SetExcludeDispatchKeyGuard(  # noqa: SLF001
        torch._C.DispatchKey.AutogradFunctionality,  # noqa: SLF001
        False,
    ):
        found = _gradients(outer, given, needed, layer, again=False)
    return [gradient.clone(memory_format=torch.contiguous_format) for gradient in found]


def _gradients(
    outer: Tensor,
    given: Sequence[Tensor | None],
    needed: Sequence[bool],
    layer: int,
    again: bool,
) -> tuple[Tensor, ...]:
    """The needed gradients; ``again``: they are differentiable themselves."""
    rows, weight, features = given
    assert rows is not None
    assert weight is not None
    wanted = [x for x, need in zip(given, needed, strict=True) if need and x is not None]
    with torch.enable_grad():
        values = _find(layer).values(rows, weight, features, runs=again)
        return torch.autograd.grad(
            values, wanted, outer, create_graph=again, materialize_grads=True
        )


@layer_values.register_fake
def _(rows: Tensor, weight: Tensor, features: Tensor | None, layer: int, columns: int) -> Tensor:
    like = rows if features is None else features
    return like.new_empty(rows.shape[0], columns)


@layer_gradients.register_fake
def _(
    outer: Tensor,
    rows: Tensor,
    weight: Tensor,
    features: Tensor | None,
    layer: int,
    needed: Sequence[bool],
) -> list[Tensor]:
    given = zip((rows, weight, features), needed, strict=True)
    return [x.new_empty(x.shape) for x, need in given if need and x is not None]


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.layer, _ = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
    given = ctx.saved_tensors
    layer = _find(ctx.layer)
    passes = layer.passes_gradients
    by_rows, by_weight, by_features = ctx.needs_input_grad[:3]
    if not passes and (by_rows or by_features):
        layer.warn_of_cut_gradient()
    needed = [by_rows and passes, by_weight, by_features and passes]
    if torch.is_grad_enabled():  # create_graph=True
        found = iter(_gradients(outer, given, needed, ctx.layer, again=True))
    else:
        found = iter(layer_gradients(outer, *given, ctx.layer, needed))
    return (*(next(found) if need else None for need in needed), None, None)


layer_values.register_autograd(_backward, setup_context=_save)


@layer_values.register_vmap
def _(
    info: Any,
    in_dims: tuple[int | None, ...],
    rows: Tensor,
    weight: Tensor,
    features: Tensor | None,
    layer: int,
    columns: int,
) -> tuple[Tensor, int]:
    size = info.batch_size
    first = [
        None if x is None else x.unsqueeze(0) if dim is None else x.movedim(dim, 0)
        for x, dim in zip((rows, weight, features), in_dims, strict=False)
    ]
    spread = [None if x is None else x.expand(size, *x.shape[1:]) for x in first]
    if in_dims[1] is None:  # one batch of all rows
        flat = [None if x is None else x.flatten(0, 1) for x in (spread[0], spread[2])]
        values = layer_values(flat[0], weight, flat[1], layer, columns)
        return values.unflatten(0, (size, -1)), 0
    each = [
        layer_values(*(None if x is None else x[i] for x in spread), layer, columns)
        for i in range(size)
    ]
    return torch.stack(each), 0
