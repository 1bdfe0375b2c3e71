"""A whole drift study, as small as it can be."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from qvlm_qiskit import open_backend
from qvlm_qiskit.backends.devices.noise_by_name import open_noise
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.noise_models import scaled
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.drift.calibrations import calibrations
from qvlm_qiskit.studies.drift.options import DriftOptions
from qvlm_qiskit.studies.drift.study import DriftStudy
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.measure import evaluate_on
from qvlm_qiskit.training import train

OPTIONS = DriftOptions(runs=(Path("r"),), questions=6, rows=4, shots=50)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Two calibrations of one device, as qvlm noise save keeps them: the second is worse."""
    folder = tmp_path_factory.mktemp("saved")
    first = open_noise("fake_manila")
    first.save(folder / "monday.json")
    later = replace(first.snapshot, calibrated_utc="2026-11-24T08:00:00+00:00")
    replace(scaled(first, 3), name=first.name, snapshot=later).save(folder / "tuesday.json")
    return folder


@pytest.fixture(scope="module")
def runs(tiny_options, tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    options = [replace(tiny_options, steps=2, train_samples=16, seed=seed) for seed in (0, 1)]
    return [train(one, place / str(one.seed)).path for one in options]


@pytest.fixture(scope="module")
def study(saved, runs, tmp_path_factory):
    options = replace(
        OPTIONS, runs=tuple(runs), calibrations=(str(saved), "fake_quito"),
        mitigations=("none", "readout"),
    )  # fmt: skip
    return DriftStudy(options, tmp_path_factory.mktemp("studies") / "drift")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_every_calibration_is_met_with_every_technique_in_the_order_of_dates(results):
    assert len(results["rows"]) == 2 * (1 + 3 * 2)
    found = [(p["device"], p["calibrated_utc"][:10], p["mitigation"]) for p in results["points"]]
    assert [one[1] for one in found] == sorted(one[1] for one in found)
    assert found[-2:] == [
        ("fake_manila", "2026-11-24", "none"), ("fake_manila", "2026-11-24", "readout"),
    ]  # fmt: skip
    assert {one[0] for one in found} == {"fake_manila", "fake_quito"}
    assert all(point["accuracy"]["seeds"] == 2 for point in results["points"])


def test_a_row_is_what_the_run_answers_there(study, results, saved, runs):
    run = Run.open(runs[1])
    backend = open_backend(
        f"noisy:{saved / 'tuesday.json'}", shots=50, mitigation="readout", seed=run.seed
    )
    found, _ = evaluate_on(Exam(run.answering_model(), run.samples("test", 6)), backend)
    (row,) = [
        one for one in results["rows"]
        if (one["seed"], one["calibration"][-12:], one["mitigation"])
        == (1, "tuesday.json", "readout")
    ]  # fmt: skip
    assert row["right"] == "".join("01"[right] for right in found.correct)


def test_more_noise_is_more_error_and_less_success(results):
    monday, tuesday = (
        next(
            point for point in results["points"]
            if point["calibration"].endswith(f"{day}.json") and point["mitigation"] == "none"
        )
        for day in ("monday", "tuesday")
    )  # fmt: skip
    assert tuesday["success"] < monday["success"]
    assert tuesday["noise"]["readout_median"] > 2 * monday["noise"]["readout_median"]


def test_the_spread_is_over_calibrations(results):
    none, readout = results["spread"]
    assert (none["mitigation"], readout["mitigation"], none["calibrations"]) == (
        "none", "readout", 3,
    )  # fmt: skip
    found = [p["rms"]["mean"] for p in results["points"] if p["mitigation"] == "none"]
    assert none["rms"]["mean"] == pytest.approx(sum(found) / 3)
    assert (none["rms"]["least"], none["rms"]["most"]) == (min(found), max(found))
    assert none["rms"]["seeds"] == 3 and none["rank_correlation"] is None


def test_page_and_tables_say_it(study, results):
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert "2026-11-24" in page and "Over calibrations" in page and "<svg" in page
    assert study.printed(results)[1].title.startswith("over 3 calibrations, 95 %")
    alone = {**results, "spread": [{**one, "calibrations": 1} for one in results["spread"]]}
    assert study.printed(alone)[1].title.startswith("over 1 calibration, 95 %")
    for table in study.printed(results):
        cells = [table.columns, *table.rows]
        widths = [max(len(row[i].lstrip(">")) for row in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80


def test_a_file_that_has_moved_is_the_same_calibration(study, saved, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(saved, moved)
    other = DriftStudy(
        replace(study.options, calibrations=("fake_quito", str(moved))), study.folder
    )
    assert {study.key(cell) for cell in study.cells()} == {other.key(c) for c in other.cells()}


def test_without_names_every_fake_device_that_is_wide_enough():
    wide = [one.name for one in calibrations((), 100)]
    assert "fake_kingston" in wide and "fake_manila" not in wide
    assert len(calibrations((), 4)) > len(wide) > 10


def test_what_makes_no_study_is_refused(saved, runs, tmp_path):
    empty, formula = tmp_path / "empty", tmp_path / "formula.json"
    empty.mkdir()
    open_noise("depolarizing(0.01)").save(formula)
    for asked, error, says in (
        ("fake_manilla", UnknownNameError, "did you mean 'fake_manila'"),
        (str(empty), InputError, "holds no file of qvlm noise save"),
        (str(formula), InputError, "no date of a calibration"),
        ("fake_manila", InputError, "has 5 qubits, and a block has 6"),
        (str(saved / "monday.json"), InputError, "has 5 qubits, and a block has 6"),
    ):
        with pytest.raises(error, match=says):
            calibrations((asked,), 6)
    with pytest.raises(InputError, match="are the same calibration"):
        calibrations((str(saved), str(saved / "monday.json")), 2)
    for change in ({"runs": ()}, {"questions": 1}, {"mitigations": ("none", "none")}):
        with pytest.raises(InputError, match=r"must be|distinct"):
            replace(OPTIONS, **change)


def test_runs_of_other_trainings_are_refused(study, runs, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    info = json.loads((other / "run.json").read_text())
    info["options"]["steps"] = 3
    (other / "run.json").write_text(json.dumps(info))
    mixed = DriftStudy(replace(study.options, runs=(runs[0], other)), tmp_path / "study")
    with pytest.raises(InputError, match=r"steps=2 and .* with steps=3; .* differ in seed only"):
        mixed.cells()
    assert not (tmp_path / "study").exists()
