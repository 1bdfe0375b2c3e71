"""A study of replacements: networks are what they are called, and controls are as large."""

from dataclasses import replace

import pytest
import torch

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.replacement.cells import Cell, network, pictures, train_cell
from qvlm_qiskit.studies.replacement.networks import LADDER, PositiveConvolution, convolution
from qvlm_qiskit.studies.replacement.options import VARIANTS, ReplacementOptions
from qvlm_qiskit.studies.replacement.study import ReplacementStudy
from qvlm_qiskit.studies.replacement.summary import chosen, summarise

OPTIONS = ReplacementOptions(
    variants=("linear", "relu", "quantum", "quantum-twin"), channels=4, repetitions=1, epochs=2,
    train_samples=100, test_samples=60, learning_rates=(0.01,), seeds=2,
)  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_network_is_linear_only_where_it_is_said_to_be(variant):
    torch.manual_seed(0)
    made = network(variant, OPTIONS, 10).double()
    one, two = torch.rand(2, 3, 1, 8, 8).double()
    with torch.no_grad():
        bend = made((one + two) / 2) - (made(one) + made(two)) / 2
    assert made(one).shape == (3, 10)
    parts = LADDER[variant]
    assert (bend.abs().max() < 1e-6) == (parts.linear == "plain" and not parts.relu)


def test_twins_have_as_many_numbers_and_frozen_circuits_none():
    trained = {name: network(name, OPTIONS, 10).parameters_trained for name in VARIANTS}
    assert trained["quantum"] == trained["quantum-twin"]
    assert trained["quanvolution"] == trained["quanvolution-twin"] == trained["quanvolution-relu"]
    assert trained["linear"] == trained["relu"]
    assert trained["frozen"] == 4 + 2 + 10 < trained["positive"]


def test_kernels_are_of_the_kind_of_a_flipped_quanvolution():
    positive = convolution("positive", 2, 3, 6)
    assert isinstance(positive, PositiveConvolution)
    flipped = convolution("quantum", 2, 3, 6)
    for made in (positive, flipped):
        kernels = made.kernels().detach().double()
        torch.testing.assert_close(kernels, kernels.mT)
        levels = torch.linalg.eigvalsh(kernels)
        assert levels.min() > -1e-6
        assert levels[..., 0].abs().max() < 1e-6  # rank two of three


def test_pictures_are_real_and_apart():
    train, test, names = pictures(OPTIONS, 0)
    assert (len(train.classes), len(test.classes), len(names)) == (100, 60, 10)
    assert train.images.shape[1:] == (1, 8, 8)
    assert 0 <= train.images.min() and train.images.max() == 1
    seen = {tuple(one.flatten().tolist()) for one in train.images}
    assert not any(tuple(one.flatten().tolist()) in seen for one in test.images)


def row(variant, rate, seed, validation, correct):
    return {
        "variant": variant, "rate": rate, "seed": seed, "validation": validation,
        "correct": correct, "total": 100, "parameters": 9, "loss": 0.1, "losses": [0.2, 0.1],
        "step_ms": 1.0,
    }  # fmt: skip


def test_rates_are_chosen_by_validation_and_differences_paired():
    rows = [row("linear", 0.01, s, 0.9, 80 + 5 * s) for s in (0, 1, 2)]
    rows += [row("linear", 0.1, s, 0.8, 99) for s in (0, 1, 2)]
    rows += [row("relu", 0.01, s, 0.5, 10) for s in (0, 1, 2)]
    rows += [row("relu", 0.1, s, 0.9, 83 + 5 * s) for s in (0, 1, 2)]
    assert chosen(rows) == {"linear": 0.01, "relu": 0.1}
    (difference,) = summarise(rows)["differences"]
    assert difference["difference"]["mean"] == pytest.approx(0.03)
    assert difference["difference"]["low"] == pytest.approx(0.03)
    assert difference["says"] == "better"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ReplacementStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "replacement")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_a_study_trains_and_says_so(study, results):
    assert len(results["rows"]) == 4 * 2
    linear = [one for one in results["rows"] if one["variant"] == "linear"]
    assert all(one["losses"][1] < one["losses"][0] for one in linear)
    again = train_cell(Cell("quantum", 0.01, 1), OPTIONS)
    same = next(o for o in results["rows"] if (o["variant"], o["seed"]) == ("quantum", 1))
    assert same["losses"] == again["losses"]
    assert min(one["loss"] for one in results["rows"] if one["variant"] == "quantum") > 1.46


def test_page_and_tables(study, results):
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2 and "none is comparable" in page and "1.46 nats" in page
    for table in study.printed(results):
        cells = [table.columns, *table.rows]
        widths = [max(len(one[i].lstrip(">")) for one in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"variants": ("rellu",)}, UnknownNameError, "did you mean 'relu'"),
        ({"channels": 3}, InputError, "an even number"),
        ({"image_size": 4}, InputError, "image_size must be from 6 to 32"),
        (
            {"learning_rates": (0.0,)},
            InputError,
            "learning_rates must be positive and finite, got 0",
        ),
        ({"epochs": 0}, InputError, "epochs must be at least 1"),
    ],
)
def test_what_makes_no_study_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(OPTIONS, **change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"data": "digits"}, "several questions"),
        ({"channels": 64, "image_size": 32}, "at most 16384 features, and here are 25088"),
    ],
)
def test_what_can_not_be_built_is_refused_before_anything_is_written(change, says, tmp_path):
    with pytest.raises(InputError, match=says):
        run_study(ReplacementStudy(replace(OPTIONS, **change), tmp_path / "study"))
    assert not (tmp_path / "study").exists()
