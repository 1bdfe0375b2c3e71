import dataclasses
import importlib
import json
import shutil

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import encode_prompts
from qvlm_qiskit.evaluation import capture_rows
from qvlm_qiskit.studies import DemoOptions, run_demo
from tests.conftest import plugged_in

SIZES = {
    "device": "fake_manila",
    "shots": 100,
    "test_samples": 20,
    "noisy_samples": 10,
    "runtime_samples": 3,
    "scales": (0.0, 2.0),
    "rows": 12,
}


@pytest.fixture(scope="session")
def demo_options(tiny_options):
    """Makes the options of a demo of a few seconds."""

    def make(**changes):
        return DemoOptions(**{"training": tiny_options, **SIZES, **changes})

    return make


@pytest.fixture(scope="session")
def short_demo_options(tiny_options, demo_options):
    """Makes the options of a demo that is cut to the bone."""
    sizes = {"test_samples": 4, "noisy_samples": 2, "runtime_samples": 2, "scales": (0.0,)}
    training = dataclasses.replace(tiny_options, steps=2, train_samples=32)

    def make(**changes):
        return demo_options(**{"training": training, **sizes, **changes})

    return make


@pytest.fixture(scope="session")
def demo_progress():
    """The stages of `demo`, with what each has reported."""
    return []


@pytest.fixture(scope="session")
def demo(demo_options, tmp_path_factory, watch, demo_progress):
    """A finished demo: its folder and what ``run_demo`` returned."""
    out = tmp_path_factory.mktemp("demo") / "run"
    return out, run_demo(demo_options(), out, track=watch(demo_progress))


class Counting:
    """A device's estimator that counts what reaches it."""

    def __init__(self, inner):
        self.inner = inner
        self.pubs = 0

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.pubs += len(pubs)
        return self.inner.run(pubs, precision=precision)


@pytest.fixture(scope="session")
def counted():
    """Makes the copy of a backend whose device counts, and returns both."""

    def make(backend):
        device = Counting(backend.device)
        return dataclasses.replace(backend, device=device), device

    return make


@pytest.fixture
def batch(processor, samples):
    return encode_prompts(processor, [s.image for s in samples], [s.question for s in samples])


@pytest.fixture
def rows(model, batch):
    return capture_rows(model, batch.inputs(), 8)


@pytest.fixture
def runtime():
    return open_backend("fake_manila", shots=100, mitigation="resilience-1", seed=2)


@pytest.fixture
def coins(plugins, tmp_path):
    """The module of another distribution's study, in a copy that a test may change."""
    with plugged_in(shutil.copytree(plugins, tmp_path / "site")):
        yield importlib.import_module("acme_qvlm.coins")


@pytest.fixture(scope="module")
def results(demo):
    """``results.json`` as a stranger reads it."""

    def refuse(text):
        raise AssertionError(f"{text} in results.json")

    text = (demo[0] / "results.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refuse)
