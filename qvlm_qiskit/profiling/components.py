"""The parts of a `HybridVLM`, and what each of them is given in a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from qvlm_qiskit.model import HybridVLM
from qvlm_qiskit.model.decoder import SparseExperts
from qvlm_qiskit.model.hyper_connections import HyperConnection, HyperHead

VISION, POSITION, ATTENTION, LATENT, EXPERTS, STREAMS = COMPONENTS = (
    "vision embedding", "positional mixing", "vision attention", "MLA", "MoE", "mHC",
)  # fmt: skip
"""The parts in the order of a forward pass, as the Hybrid-QVLM README's table names them."""


@dataclass(frozen=True)
class Call:
    """One call of a part.

    Attributes:
        run: The part.
        args: What it was given, tensors on their own.
        kwargs: The same by name.
    """

    run: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def forward(self) -> Tensor:
        """The first tensor that the part returns."""
        found = self.run(*map(_own, self.args), **{k: _own(v) for k, v in self.kwargs.items()})
        first: Tensor = found[0] if isinstance(found, tuple) else found
        return first


def caught(model: HybridVLM, batch: Mapping[str, Tensor]) -> dict[str, list[Call]]:
    """Every call of every part in one forward pass, by part; parts that a model lacks are left out.

    A connection of mHC is caught without the block inside it. Where there is no text block, what
    tells positions is the rotary embedding; where there is no mHC, the residual connections are
    additions, two for each layer.

    Args:
        model: In training or evaluation mode.
        batch: Arguments of its forward pass.
    """
    calls: dict[str, list[Call]] = {name: [] for name in COMPONENTS}
    with ExitStack() as listening, torch.no_grad():
        for name, module in _parts(model):
            listening.enter_context(_heard(module, calls[name]))
        for connection in (m for m in model.modules() if isinstance(m, HyperConnection)):
            listening.enter_context(_around(connection, calls[STREAMS]))
        model(**batch)
    if not calls[STREAMS]:
        calls[STREAMS] = [
            Call(torch.add, (call.kwargs["hidden_states"], call.kwargs["hidden_states"].clone()))
            for call in calls[LATENT]
            for _ in range(2)
        ]
    return {name: found for name, found in calls.items() if found}


def _parts(model: HybridVLM) -> Iterator[tuple[str, nn.Module]]:
    yield VISION, model.get_submodule("vision.embeddings.patch_embeddings")
    block: nn.Module | None = model.block_at("text")
    yield POSITION, model.get_submodule("decoder.rotary_emb") if block is None else block
    for layer in model.vision.modules():
        if isinstance(attention := getattr(layer, "attention", None), nn.Module):
            yield ATTENTION, attention
    layers: Any = model.decoder.layers
    for layer in layers:
        yield LATENT, layer.self_attn
        if isinstance(layer.mlp, SparseExperts):
            yield EXPERTS, layer.mlp
    for module in model.modules():
        if isinstance(module, HyperHead):
            yield STREAMS, module


@contextmanager
def _heard(module: nn.Module, calls: list[Call]) -> Iterator[None]:
    def hear(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls.append(Call(module, args, {**kwargs, **_without_cache(kwargs)}))

    handle = module.register_forward_pre_hook(hear, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _without_cache(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None for name in ("cache", "past_key_values") if name in kwargs}


@contextmanager
def _around(connection: HyperConnection, calls: list[Call]) -> Iterator[None]:
    around = connection.around

    def hear(streams: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        calls.append(Call(around, (streams, _same)))
        return around(streams, block)

    connection.__dict__["around"] = hear
    try:
        yield
    finally:
        del connection.__dict__["around"]


def _same(one: Tensor) -> Tensor:
    return one


def _own(value: Any) -> Any:
    """A tensor of its own, whose gradient is wanted where it can have one."""
    if isinstance(value, Tensor):
        return value.detach().requires_grad_(value.is_floating_point() and torch.is_grad_enabled())
    return value
