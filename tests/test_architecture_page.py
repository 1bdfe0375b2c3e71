"""docs/architecture.md is the way of today: its files exist and its recipes run."""

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import torch
from PIL import Image
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import BackendOptions, open_backend
from qvlm_qiskit.data import Sample
from qvlm_qiskit.evaluation import Material, Metrics
from qvlm_qiskit.mitigations import TECHNIQUES
from qvlm_qiskit.recipes import BLOCKS, DATA_SETS, METRICS
from qvlm_qiskit.studies.grid_study import Option, Study
from qvlm_qiskit.studies.intervals import differences, means
from tests.conftest import forgetting

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def recipe(title):
    """The names that a recipe's code defines."""
    section = PAGE.split(f"### {title}\n")[1].split("\n### ")[0]
    names = {
        "dataclass": dataclass, "Annotated": Annotated, "Option": Option, "Study": Study,
        "random": random, "means": means, "differences": differences, "__name__": "recipe",
    }  # fmt: skip
    exec(compile(re.search(r"```python\n(.*?)```", section, re.S)[1], title, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def unchanged():
    """What a recipe enters is forgotten."""
    with forgetting(BLOCKS, DATA_SETS, METRICS, TECHNIQUES):
        yield


def test_every_file_of_the_page_exists():
    homes = (ROOT, ROOT / "qvlm_qiskit", ROOT / "qvlm_qiskit" / "quantum" / "statevector")
    named = set(re.findall(r"`((?:[\w]+/)+[\w]+(?:\.py)?)`", PAGE))
    missing = [name for name in named if not any((home / name).exists() for home in homes)]
    assert len(named) > 40
    # recipes name files that their reader is going to write
    assert set(missing) <= {"backends/devices/acme.py"}


def test_the_data_set_of_the_page():
    recipe("A data set")
    samples = list(DATA_SETS.load("shades").open("test", 4, 0))
    assert [sample.answer for sample in samples] == ["black", "white", "black", "white"]


def test_the_model_of_the_page():
    kind = recipe("A model")["TwoQubits"]
    samples = [Sample(Image.new("L", (5, 3), 90), "k", "q", answer) for answer in ("a", "b")]
    model = kind(None, **kind.learn(samples))
    model.check(samples)
    assert set(model.answers(samples)) <= {"a", "b"}
    assert list(model.quantum_layers) == ["circuit"]


def test_the_block_of_the_page():
    block = recipe("A block")["Plain"]
    made = block(block.config_class(num_qubits=2, num_layers=1), 8)
    assert made(torch.rand(1, 3, 8), torch.arange(3)[None]).shape == (1, 3, 8)


def test_the_mitigation_of_the_page():
    recipe("A mitigation")
    circuit = QuantumCircuit(1)
    values = [
        open_backend("noisy:fake_manila", precision=0, mitigation=name)
        .estimator()
        .run([(circuit, "Z")])
        .result()[0]
        .data.evs
        for name in ("none", "scaled(factor=2)")
    ]
    np.testing.assert_allclose(values[1], 2 * values[0])


def test_the_metric_of_the_page():
    recipe("A metric")
    found = Metrics(["overlap"]).measure(Material(["a cat", ""], [["the cat", "a dog"], ["x"]]))
    assert found["overlap"].per_sample == (0.5, 0.0)


def test_the_backend_of_the_page():
    opened = recipe("A backend")["open_acme"]("acme", BackendOptions(shots=100, seed=0))
    assert (opened.name, opened.options.shots, opened.mitigations) == ("acme", 100, ("none",))
    assert abs(opened.estimator().run([(QuantumCircuit(1), "Z")]).result()[0].data.evs) <= 1


def test_the_study_of_the_page(tmp_path):
    names = recipe("A study")
    study = names["Coins"](names["Options"](), tmp_path)
    found = study.summarise([study.compute(cell) for cell in study.cells()])
    assert [point["chance"] for point in found["points"]] == [0.5, 0.7]
