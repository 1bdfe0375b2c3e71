"""Compile the kernels of hyper-connections, once per installation; ``make setup`` does."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from qvlm_qiskit.model.hyper_connections import HyperConnection, HyperHead

STREAMS = 4
"""What the recipes have; other numbers of streams are compiled when they are first used."""


def warm_up() -> None:
    """Compile, or load, everything forwards and back in both precisions: some seconds."""
    for dtype in (torch.float32, torch.float64):
        config = SimpleNamespace(
            hidden_size=2, hc_mult=STREAMS, hc_sinkhorn_iters=2, hc_eps=1e-6, rms_norm_eps=1e-6
        )
        around, head = HyperConnection(config).to(dtype), HyperHead(config).to(dtype)
        for parameter in (*around.parameters(), *head.parameters()):
            torch.nn.init.ones_(parameter)
        streams = torch.ones(1, 1, STREAMS, 2, dtype=dtype, requires_grad=True)
        head(around.around(streams, lambda x: x)).sum().backward()
