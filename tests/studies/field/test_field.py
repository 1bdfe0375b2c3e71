"""A study of visual fields, as small as it can be."""

import math
from dataclasses import replace

import pytest
import torch
from PIL import Image

from qvlm_qiskit.blocks.zoo.visual_field import waves_of
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.studies.field.study import (
    EVERY,
    KINDS,
    PICTURES,
    FieldOptions,
    FieldStudy,
    pixels_of,
    places_of,
)
from qvlm_qiskit.studies.grid_study import run_study
from tests.studies.reports.page import FORBIDDEN, Page

OPTIONS = FieldOptions(
    pictures=("digits", "china"), seeds=2, side=8, steps=15, qubits=3, layers=1, hidden=4
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return FieldStudy(OPTIONS, tmp_path_factory.mktemp("studies") / "field")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_every_picture_is_fitted_by_every_kind(results):
    assert len(results["rows"]) == 2 * 3 * 2
    means = {(p["picture"], p["kind"]): p["psnr"]["mean"] for p in results["points"]}
    assert set(means) == {(p, k) for p in ("digits", "china", EVERY) for k in KINDS}
    for kind in KINDS:
        of_both = [means[picture, kind] for picture in ("digits", "china")]
        assert means[EVERY, kind] == pytest.approx(sum(of_both) / 2)
    assert {one["kind"] for one in results["from_quantum"]} == {"classical", "frozen"}
    counts = results["numbers"]
    assert counts["quantum"] == counts["classical"] == counts["frozen"] + 3


def test_a_longer_fit_is_a_better_one(study, results):
    row = next(row for row in results["rows"] if row["kind"] == "quantum")
    cell = next(cell for cell in study.cells() if cell.kind == "quantum")
    assert study.compute(cell)["psnr"] == row["psnr"]
    longer = FieldStudy(replace(OPTIONS, steps=60), study.folder)
    assert longer.compute(cell)["psnr"] > row["psnr"] + 0.2


def test_ratios_are_those_of_the_squared_error(study, monkeypatch):
    from qvlm_qiskit.studies.field import study as module

    wanted = pixels_of("digits", 8)
    monkeypatch.setattr(module, "_fitted", lambda *given: (wanted + 0.1, 7))
    assert study.compute(study.cells()[0])["psnr"] == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures_are_colours_from_0_to_1(picture):
    pixels = pixels_of(picture, 32)
    assert pixels.shape == (1024, 3)
    assert pixels.dtype == torch.float32
    assert 0 <= pixels.min() < 0.2 < 0.8 < pixels.max() <= 1
    assert (pixels.std(-1).max() > 0.05) == (picture != "digits")


def test_no_two_pixels_have_the_same_waves():
    places = places_of(8)
    assert places[0].tolist() == [-0.875, -0.875] and places[1].tolist() == [-0.875, -0.625]
    waves = waves_of(places, 4)
    distances = torch.cdist(waves, waves) + 9 * torch.eye(64)
    assert distances.min() > 0.5


def test_a_file_is_known_by_its_pixels(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (9, 9), (255, 0, 51)).save(tmp_path / name)
    found = pixels_of(str(tmp_path / "a.png"), 4)
    torch.testing.assert_close(found, torch.tensor([1, 0, 0.2]).expand(16, 3))
    keys = []
    for name in ("a.png", "b.png"):
        own = FieldStudy(replace(OPTIONS, pictures=(str(tmp_path / name),)), tmp_path / "study")
        keys.append({own.key(cell) for cell in own.cells()})
    assert keys[0] == keys[1]


def test_page_and_table_say_it(study, results):
    page = Page((study.folder / "report.html").read_text(encoding="utf-8"))
    assert EVERY in page.words and "Pictures of the first seed" in page.words
    assert page.tags.count("img") == 2 * 4
    assert not FORBIDDEN & set(page.tags)
    table = study.printed(results)
    assert len(table.rows) == 9
    assert table.rows[0][:2] == ["digits", "quantum"] and table.rows[0][3:] == ["–"]
    widths = [
        max(len(row[i].lstrip(">")) for row in (table.columns, *table.rows)) for i in range(4)
    ]
    assert sum(widths) + 3 * 4 + 1 <= 80


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kinds": ("frosen",)}, "unknown kind 'frosen': did you mean 'frozen'"),
        ({"pictures": ()}, "pictures must be distinct and not empty"),
        ({"pictures": ("china", "china")}, "pictures must be distinct and not empty"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"side": 1}, "side must be at least 2, got 1"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"learning_rate": math.nan}, "learning_rate must be positive and finite"),
        ({"qubits": 13}, "qubits is a whole number from 1 to 12"),
        ({"qubits": 2}, "outputs=3 are more than qubits=2"),
    ],
)
def test_what_makes_no_study_is_refused(change, says):
    with pytest.raises(InputError, match=says):
        replace(OPTIONS, **change)


def test_a_picture_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    study = FieldStudy(replace(OPTIONS, pictures=("chine",)), tmp_path / "study")
    with pytest.raises(UnknownNameError, match=r"did you mean 'china'.*Or name an image file"):
        run_study(study)
    assert not list(tmp_path.iterdir())
