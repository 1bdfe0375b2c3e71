"""Every tuner."""

import importlib.util
from types import SimpleNamespace

import pytest

if importlib.util.find_spec("peft") is None:  # an optional extra
    collect_ignore_glob = ["test_*.py"]

TUNERS = {
    "quantum": ("QuantumLoraConfig", {"r": 3, "num_layers": 2}),
    "twin": ("QuantumLoraConfig", {"r": 3, "num_layers": 2, "core": "classical"}),
    "frozen": ("QuantumLoraConfig", {"r": 3, "num_layers": 2, "core": "frozen"}),
    "qwha": ("QWHAConfig", {"coefficients": 90}),
    "tera": ("TeraConfig", {"core": 4, "scaling": 4.0}),
    "transformed": ("TransformedLoraConfig", {"r": 2, "bond": 2}),
}


@pytest.fixture(params=[*TUNERS])
def tuner(request):
    """One tuner: `config(targets, …)` makes its configuration."""
    from qvlm_qiskit.adapter import tuners

    name, options = TUNERS[request.param]
    cls = getattr(tuners, name)

    def config(targets, **more):
        return cls(target_modules=targets, task_type="CAUSAL_LM", **{**options, **more})

    mergeable = name != "QuantumLoraConfig"
    return SimpleNamespace(name=request.param, config=config, mergeable=mergeable)
