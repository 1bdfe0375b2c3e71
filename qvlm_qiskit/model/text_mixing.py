"""What the text block makes of tokens: each pair of a token and a position is computed once.

A block's answer for a token depends on that token's embedding and its position alone
(:data:`~qvlm_qiskit.blocks.PLACES`), and a batch repeats few pairs often: 64 questions of about ten
words hold some seventy different ones. So a circuit runs once for each pair of a call; while a
model only infers, what was computed is kept for the calls that follow, such as those of a
generation, until a weight or a machine changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from qvlm_qiskit.blocks import Block

MOST_ROWS = 65_536
"""Rows that are kept at most; then they are all forgotten."""

Pair = tuple[int, int]
"""A token and a position."""


@dataclass
class KnownRows:
    """Embeddings and what a block made of them, by pair, while the block is the same.

    Attributes:
        rows: Pair → embedding ``(D,)`` and mixed embedding ``(D,)``.
    """

    rows: dict[Pair, tuple[Tensor, Tensor]] = field(default_factory=dict)
    _state: list[Any] = field(default_factory=list)

    def keep_for(self, state: list[Any]) -> None:
        """Forget everything that was computed in another state; see `exact_state`."""
        same = len(state) == len(self._state) and all(
            now is before or (isinstance(now, float) and now == before)
            for now, before in zip(state, self._state, strict=True)
        )
        if not same or len(self.rows) > MOST_ROWS:
            self.rows, self._state = {}, state

    def missing(self, pairs: list[Pair], embeddings: Tensor) -> list[int]:
        """Which of the pairs, by their number, are not known with these embeddings ``(N, D)``."""
        known = [number for number, pair in enumerate(pairs) if pair in self.rows]
        if not known:
            return list(range(len(pairs)))
        kept = torch.stack([self.rows[pairs[number]][0] for number in known])
        same = (kept == embeddings[known]).all(dim=1).tolist()
        found = {n for n, one in zip(known, same, strict=True) if one}
        return [number for number in range(len(pairs)) if number not in found]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy of a model starts with nothing known."""
        return type(self)()

    def __reduce__(self) -> Any:
        """So does a stored one."""
        return type(self), ()


def mix_tokens(
    block: Block, embeddings: Tensor, tokens: Tensor, positions: Tensor, known: KnownRows | None
) -> Tensor:
    """A text block's answers for tokens, ``(N, D)``; equal pairs are computed once.

    Args:
        block: Of the place "text".
        embeddings: Of the tokens, ``(N, D)``.
        tokens: Their numbers, ``(N,)``.
        positions: Their positions, ``(N,)``.
        known: Rows to take, and to add to; None computes every pair of the call.
    """
    if not len(tokens):
        return embeddings
    distinct, inverse = torch.unique(
        torch.stack([tokens, positions], dim=1), dim=0, return_inverse=True
    )
    own = embeddings[_first_of_each(inverse, len(distinct))]
    if known is None:
        return _mixed(block, own, distinct[:, 1])[inverse]
    pairs = [(token, position) for token, position in distinct.tolist()]
    if new := known.missing(pairs, own):
        made = _mixed(block, own[new], distinct[new, 1])
        for number, row in zip(new, made, strict=True):
            known.rows[pairs[number]] = (own[number], row)
    return torch.stack([known.rows[pair][1] for pair in pairs])[inverse]


def _mixed(block: Block, embeddings: Tensor, positions: Tensor) -> Tensor:
    mixed: Tensor = block(embeddings[None], positions[None])[0]
    return mixed


def _first_of_each(inverse: Tensor, count: int) -> Tensor:
    """For every distinct pair, where it is met first."""
    order = torch.arange(len(inverse), device=inverse.device)
    first = order.new_full((count,), len(inverse))
    return first.scatter_reduce_(0, inverse, order, "amin")


def exact_state(block: Block) -> list[Any] | None:
    """What kept rows depend on beside their embeddings: weights, and what the layers run on.

    Args:
        block: Of the place "text".

    Returns:
        Estimators, and a weighed sum of each weight; None where rows must not be kept: gradients
        are wanted, the block trains, or a machine samples, whose next answer is another sample.
        (Answers that a ledger keeps cost nothing to ask for again.)
    """
    if block.training or torch.is_grad_enabled():
        return None
    layers = list(block.layers.values())
    if any(layer.differentiable_engine() is None for layer in layers):
        return None
    weights = (*block.parameters(), *block.buffers())
    return [*(layer.active_estimator for layer in layers), *map(_weighed, weights)]


def _weighed(weight: Tensor) -> float:
    """A sum that changes with every number of a tensor, and with their order."""
    flat = weight.detach().double().flatten()
    return float(flat @ torch.linspace(1, 2, len(flat), dtype=flat.dtype, device=flat.device))
