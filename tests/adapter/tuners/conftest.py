"""Every tuner."""

from types import SimpleNamespace

import pytest

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


@pytest.fixture(params=[*TUNERS])
def tuner(request):
    """One tuner: `config(targets, …)` makes its configuration."""
    cls, options = TUNERS[request.param]

    def config(targets, **more):
        return cls(target_modules=targets, task_type="CAUSAL_LM", **{**options, **more})

    mergeable = cls is not QuantumLoraConfig
    return SimpleNamespace(name=request.param, config=config, mergeable=mergeable)
