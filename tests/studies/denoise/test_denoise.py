"""A whole denoising study, as small as it can be."""

import base64
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.denoise.cells import (
    Cell,
    compute_cell,
    latent_of,
    linear_filter,
    strip,
    trained,
    with_noise,
)
from qvlm_qiskit.studies.denoise.options import FILTERS, KINDS, LATENTS, NOISY, DenoiseOptions
from qvlm_qiskit.studies.denoise.pictures import open_pictures
from qvlm_qiskit.studies.denoise.similarity import similarity, squared_error
from qvlm_qiskit.studies.denoise.study import DenoiseStudy
from qvlm_qiskit.studies.denoise.summary import said
from qvlm_qiskit.studies.grid_study import run_study
from tests.studies.reports.page import FORBIDDEN, Page

OPTIONS = DenoiseOptions(
    sigmas=(0.3, 0.1), seeds=2, qubits=3, layers=1, epochs=2, train_pictures=48, test_pictures=12
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return DenoiseStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "denoise")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_every_kind_and_the_noisy_pictures_meet_every_noise_and_seed(results):
    assert len(results["rows"]) == (len(KINDS) + 1) * 2 * 2
    assert [(p["sigma"], p["kind"]) for p in results["points"]] == [
        (sigma, kind) for sigma in (0.1, 0.3) for kind in (NOISY, *KINDS)
    ]
    for name, reference in (("from_noisy", NOISY), ("from_quantum", "quantum")):
        assert {one["kind"] for one in results[name]} == {NOISY, *KINDS} - {reference}


def test_the_noisy_pictures_are_the_same_for_every_kind(results):
    row = next(r for r in results["rows"] if (r["kind"], r["sigma"], r["seed"]) == (NOISY, 0.3, 1))
    _, test = open_pictures(OPTIONS, 1)
    noisy = with_noise(test, 0.3, np.random.default_rng((1, 1)))
    assert row["mse"] == squared_error(noisy, test).mean()
    assert row["ssim"] == similarity(noisy, test).mean()
    assert 0.02 < row["mse"] < 0.3**2


def test_the_latent_spaces_differ_in_nothing_else(results):
    counts = {r["kind"]: (r["numbers"], r["latent_numbers"]) for r in results["rows"]}
    assert counts["quantum"] == counts["classical"]
    assert counts["quantum"][1] == 2
    assert counts["frozen"] == counts["none"] == (counts["quantum"][0] - 2, 0)
    train, _ = open_pictures(OPTIONS, 0)
    short = replace(OPTIONS, learning_rate=1e-30)
    models = [trained(Cell(kind, 0.3, 0), short, train) for kind in LATENTS]
    for part in ("encoder", "decoder"):
        first, *others = [getattr(model, part).state_dict() for model in models]
        for other in others:
            assert all(torch.equal(value, other[name]) for name, value in first.items())


def test_a_cell_is_the_same_again(results):
    row = next(r for r in results["rows"] if r["kind"] == "quantum")
    again = compute_cell(Cell("quantum", row["sigma"], row["seed"]), OPTIONS)
    assert {name: row[name] for name in again} == again


@pytest.mark.parametrize("kind", LATENTS)
def test_a_training_beats_its_first_step(kind):
    longer = replace(OPTIONS, epochs=25, learning_rate=0.01)
    first = compute_cell(Cell(kind, 0.3, 0), replace(longer, epochs=1))
    assert compute_cell(Cell(kind, 0.3, 0), longer)["mse"] < 0.8 * first["mse"]


def test_a_filter_without_limit_is_the_normal_equations_solution():
    train, test = open_pictures(OPTIONS, 0)
    filters = {rank: linear_filter(train, 0.2, 0, rank)[0] for rank in (3, 64, None)}
    noisy = with_noise(test, 0.2, np.random.default_rng(5))
    np.testing.assert_allclose(filters[64](noisy), filters[None](noisy), rtol=0, atol=1e-9)

    random = np.random.default_rng((0, 2))
    clean = np.concatenate([train] * 10)
    given = np.pad(with_noise(clean, 0.2, random).reshape(-1, 64), ((0, 0), (0, 1)),
                   constant_values=1.0)  # fmt: skip
    solved = np.linalg.solve(given.T @ given + 1e-12 * np.eye(65), given.T @ clean.reshape(-1, 64))
    flat = np.pad(noisy.reshape(-1, 64), ((0, 0), (0, 1)), constant_values=1.0)
    wanted = np.clip(flat @ solved, 0, 1).reshape(noisy.shape)
    np.testing.assert_allclose(filters[None](noisy), wanted, rtol=0, atol=1e-6)


def test_a_filter_through_few_numbers_has_that_rank_and_more_error():
    train, _ = open_pictures(OPTIONS, 0)
    clean, numbers, _ = linear_filter(train, 0.1, 0, 3)
    step = 1e-3 * np.eye(64).reshape(64, 8, 8)
    middle = np.full((8, 8), 0.5)
    changes = (clean(middle + step) - clean(np.stack([middle] * 64))).reshape(64, 64)
    assert np.linalg.matrix_rank(changes, tol=1e-6) <= 3
    assert numbers == 2 * 64 * 3 + 2 * 64
    errors = [
        squared_error(linear_filter(train, 0.1, 0, rank)[0](train), train).mean()
        for rank in (1, 3, 10, None)
    ]
    assert errors == sorted(errors, reverse=True)


def test_pictures_of_a_data_set_are_taken_once_each(tmp_path):
    for split, count in (("train", 4), ("test", 3)):
        for label in ("a", "b"):
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                grey = Image.new("L", (30, 20), 20 * number + (10 if label == "a" else 0))
                grey.save(folder / f"{number}.png")
        Image.new("L", (30, 20), 0).save(tmp_path / split / "b" / "again.png")
    options = replace(OPTIONS, data=f"folder:{tmp_path}", side=12)
    train, test = open_pictures(options, 0)
    assert (train.shape, test.shape) == ((8, 12, 12), (6, 12, 12))
    assert sorted(np.unique(255 * test).round().tolist()) == [0, 10, 20, 30, 40, 50]
    with pytest.raises(InputError, match="there are 1 pictures to train on: at least 2"):
        open_pictures(replace(options, data=f"folder:{_one_picture(tmp_path)}"), 0)


def _one_picture(place):
    for split in ("train", "test"):
        folder = place / "few" / split / "a"
        folder.mkdir(parents=True)
        Image.new("L", (8, 8), 9).save(folder / "a.png")
    return place / "few"


def test_digits_are_divided_by_the_seed():
    whole = replace(OPTIONS, train_pictures=5000, test_pictures=5000)
    train, test = open_pictures(whole, 0)
    assert (len(train), len(test)) == (1438, 359)
    assert not np.array_equal(open_pictures(whole, 1)[1], test)
    assert {one.tobytes() for one in train}.isdisjoint(one.tobytes() for one in test)
    assert open_pictures(replace(whole, side=16), 0)[0].shape == (1438, 16, 16)


def test_page_and_tables_say_it(study, results):
    page = Page((study.folder / "report.html").read_text(encoding="utf-8"))
    assert "Noise of 0.1" in page.words and "Noise of 0.3" in page.words
    assert all(f"{kind}, noise 0.3" in str(page.attributes) for kind in (NOISY, *KINDS))
    assert page.tags.count("svg") == 1
    assert not FORBIDDEN & set(page.tags)
    for table in study.printed(results):
        cells = [table.columns, *table.rows]
        widths = [max(len(row[i].lstrip(">")) for row in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80
    header = (study.folder / "rows.csv").read_text().splitlines()[0]
    assert header.split(",") == list(study.columns)
    assert [row["seed"] for row in results["rows"] if "shown" in row].count(0) == 2 * 7


def test_pictures_are_shown_as_they_are():
    pictures = np.zeros((9, 8, 8))
    pictures[1] = 1.0
    text = strip(pictures).partition(",")[2]
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("L"))
    width = image.shape[1] // 8
    assert image[5, width // 2] == 0
    assert image[5, width + width // 2] == 255


def test_one_seed_says_nothing_and_has_a_page(tmp_path):
    few = replace(OPTIONS, seeds=1, kinds=("quantum", *FILTERS), sigmas=(0.2,), epochs=1)
    study = DenoiseStudy(few, tmp_path / "study")
    results = run_study(study)
    assert json.loads((study.folder / "results.json").read_text())["grid"]["seeds"] == 1
    assert {line[-1] for table in study.printed(results) for line in table.rows} == {
        "–", "one seed: nothing can be said",
    }  # fmt: skip


def test_words_about_a_difference():
    worse = {"mean": 1.0, "low": 0.5, "high": 1.5}
    better = {"mean": -1.0, "low": -1.5, "high": -0.5}
    assert (said(worse), said(better)) == ("worse", "better")
    assert said({"mean": 0.1, "low": -0.5, "high": 1.5}) == "no difference seen"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kinds": ("quantun",)}, "unknown kind 'quantun': did you mean 'quantum'"),
        ({"kinds": ()}, "kinds must be distinct and not empty"),
        ({"sigmas": (0.1, 0.1)}, "sigmas must be distinct and not empty"),
        ({"sigmas": (0.0,)}, "sigmas must be positive and finite"),
        ({"sigmas": (math.nan,)}, "sigmas must be positive and finite"),
        ({"side": 10}, "side must be a multiple of 4, got 10"),
        ({"side": 4}, "side must be at least 8, got 4"),
        ({"side": 100_000}, "side must be at most 256, got 100000"),
        ({"side": 68}, "side must be at most 64 with linear and wiener"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"batch_size": 1}, "batch_size must be at least 2, got 1"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"test_pictures": 1}, "test_pictures must be at least 2, got 1"),
        ({"qubits": 1}, "qubits is a whole number from 2 to 24"),
        ({"layers": 0}, "repetitions is a whole number from 1 to 100"),
        ({"learning_rate": math.inf}, "learning_rate must be positive and finite"),
    ],
)
def test_what_makes_no_study_is_refused(change, says):
    with pytest.raises(InputError, match=says):
        replace(OPTIONS, **change)


def test_data_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    for name, error in (("folder:/no/where", InputError), ("foldr:x", UnknownNameError)):
        study = DenoiseStudy(replace(OPTIONS, data=name), tmp_path / "study")
        with pytest.raises(error):
            run_study(study)
    assert not list(tmp_path.iterdir())


def test_a_frozen_latent_space_is_a_circuit_that_does_not_train():
    assert not any(p.requires_grad for p in latent_of("frozen", OPTIONS).parameters())
    assert type(latent_of("frozen", OPTIONS)) is type(latent_of("quantum", OPTIONS))
