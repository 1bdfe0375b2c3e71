"""Every tuner, and a few steps of training."""

from types import SimpleNamespace

import pytest
import torch

from qvlm_qiskit.adapter.tuners import (
    QuantumLoraConfig,
    QWHAConfig,
    TeraConfig,
    TransformedLoraConfig,
)

TUNERS = {
    "quantum": (QuantumLoraConfig, {"r": 3, "num_layers": 2}),
    "twin": (QuantumLoraConfig, {"r": 3, "num_layers": 2, "core": "classical"}),
    "frozen": (QuantumLoraConfig, {"r": 3, "num_layers": 2, "core": "frozen"}),
    "qwha": (QWHAConfig, {"coefficients": 90}),
    "tera": (TeraConfig, {"core": 4, "scaling": 4.0}),
    "transformed": (TransformedLoraConfig, {"r": 2, "bond": 2}),
}


def _trained(model, ids, steps=4):
    """The loss before each step."""
    torch.manual_seed(1)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 0.02)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.fixture(scope="session")
def train():
    return _trained


@pytest.fixture(params=[*TUNERS])
def tuner(request):
    """One tuner: `config(targets, …)` makes its configuration."""
    cls, options = TUNERS[request.param]

    def config(targets, **more):
        return cls(target_modules=targets, task_type="CAUSAL_LM", **{**options, **more})

    mergeable = cls is not QuantumLoraConfig
    return SimpleNamespace(name=request.param, config=config, mergeable=mergeable)
