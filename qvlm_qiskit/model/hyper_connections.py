"""Manifold-constrained hyper-connections around a block of a decoder's layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from transformers.models.deepseek_v4.modeling_deepseek_v4 import (
    DeepseekV4HyperConnection,
    DeepseekV4HyperHead,
)

from qvlm_qiskit.quantum.single_precision import AtLeastSingle


class HyperConnection(AtLeastSingle, DeepseekV4HyperConnection):  # type: ignore[misc]
    """DeepSeek-V4's hyper-connection."""

    def around(self, streams: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        """Streams ``(B, T, n, D)`` behind a block that reads ``(B, T, D)`` and returns it."""
        with torch.autocast(streams.device.type, enabled=False):
            post, comb, collapsed = self(streams)
        post, comb = post.to(streams.dtype), comb.to(streams.dtype)
        made: Tensor = block(collapsed)
        mixed: Tensor = post[..., None] * made[..., None, :] + comb.transpose(-1, -2) @ streams
        return mixed


class HyperHead(AtLeastSingle, DeepseekV4HyperHead):  # type: ignore[misc]
    """DeepSeek-V4's hyper head."""

    def forward(self, x: Tensor) -> Tensor:
        """Streams ``(B, T, n, D)`` → ``(B, T, D)``."""
        with torch.autocast(x.device.type, enabled=False):
            collapsed: Tensor = super().forward(x)
        return collapsed
