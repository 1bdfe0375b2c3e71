import xml.etree.ElementTree as ET

import pytest

from qvlm_qiskit.studies.reports.plots import (
    accuracy_plot,
    block_name,
    experts_plot,
    reach,
    sweep_plot,
    training_plot,
)

HISTORY = {"step": [1, 2, 3], "loss": [3.0, 1.0, 0.5], "gate_qcnn": [0.5, 0.5, 0.6]}
BAR = {"accuracy": 0.5, "low": 0.3, "high": 0.7}
POINTS = [
    {"scale": scale, **BAR, "expectations": [{"block": "paqm.core.layer", "rms": scale}]}
    for scale in (0.0, 2.0)
]
PLOTS = {
    "training": lambda change: training_plot({**HISTORY, "loss": [3.0, 1.0, 0.5 + change]}),
    "accuracy": lambda change: accuracy_plot([("exact", {**BAR, "high": 0.7 + change}, "exact")]),
    "sweep": lambda change: sweep_plot(POINTS, 0.5 + change),
}


def test_how_far_an_interval_goes_from_its_mean():
    found = {"mean": 2.0, "low": -1.0, "high": 3.0}
    assert reach(found) == (3.0, 1.0)
    assert reach(found, 100) == (300.0, 100.0)
    assert reach(found, log=True) == (pytest.approx(1.8), 1.0)  # it ends above zero
    assert reach({"mean": 2.0, "low": None, "high": None}) == (0.0, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLOTS)
def test_the_same_numbers_are_the_same_svg_and_others_another(name):
    text = PLOTS[name](0.0)
    assert ET.fromstring(text).tag.endswith("svg")
    assert PLOTS[name](0.0) == text
    assert PLOTS[name](0.2) != text


def test_a_training_without_gates_and_a_sweep_without_points_are_drawn():
    assert "<svg" in training_plot({"step": [1], "loss": [2.0]})
    validated = {**HISTORY, "held_out_step": [2, 3], "held_out_loss": [1.2, 0.9]}
    assert "held_out_loss: first 1.2, last 0.9" in training_plot(validated)
    assert "<svg" in sweep_plot([], 0.5)


def test_experts_are_shown_by_layer_where_there_are_any():
    shares = {"load_layer1_expert0": [0.5, 0.75], "load_layer1_expert1": [0.5, 0.25]}
    text = experts_plot({"step": [1, 2], **shares})
    assert "layer1 expert0 75.0%, layer1 expert1 25.0%" in text
    assert experts_plot(HISTORY) == ""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("vision.embeddings.patch_embeddings.qcnn.core.layer", "QCNN"),
        ("paqm.core.layer", "PAQM"),
        ("mine", "MINE"),
    ],
)
def test_a_block_is_named_by_its_place_in_the_model(module, name):
    assert block_name(module) == name
