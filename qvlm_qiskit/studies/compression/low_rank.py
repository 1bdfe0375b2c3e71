"""The control: layers as two matrices by a truncated singular value decomposition."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def rank_of(parameters: int, layer: nn.Linear) -> int:
    """The largest rank, at least 1, whose two matrices have no more numbers than given.

    Args:
        parameters: Weights, without a bias.
        layer: What is replaced.
    """
    return max(parameters // (layer.in_features + layer.out_features), 1)


def truncate(model: nn.Module, ranks: Mapping[str, int]) -> dict[str, float]:
    """Replace linear layers by products of two, in place.

    Args:
        model: Any.
        ranks: Name of a ``Linear`` → its new rank.

    Returns:
        Name → Frobenius norm of what is missing, relative to the weight's.
    """
    errors = {}
    for name, rank in ranks.items():
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        left, values, right = torch.linalg.svd(layer.weight.detach(), full_matrices=False)
        root = values[:rank].sqrt()
        first = nn.Linear(layer.in_features, rank, bias=False)
        second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
        first.weight.data = root[:, None] * right[:rank]
        second.weight.data = left[:, :rank] * root
        if layer.bias is not None:
            second.bias.data = layer.bias.detach().clone()
        above, _, last = name.rpartition(".")
        setattr(model.get_submodule(above), last, nn.Sequential(first, second))
        errors[name] = float(values[rank:].norm() / values.norm())
    return errors
