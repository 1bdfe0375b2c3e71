import csv
import dataclasses
import json
import re
import sys

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError, NoiseModelError, QVLMError
from qvlm_qiskit.evaluation.loss import answer_loss
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.grid_study import Execution, computed_row
from qvlm_qiskit.studies.noise import NoiseStudy, run_noise_study
from qvlm_qiskit.studies.noise import cells as noise_cells
from qvlm_qiskit.studies.noise.cells import open_cell
from qvlm_qiskit.studies.noise.grid import NoiseGrid, NoiseOptions
from qvlm_qiskit.studies.noise.models import study_cells, study_models

DEVICE = "noisy:fake_manila"
SMALL = {"strengths": (0.0, 2.0), "questions": 4, "rows": 3, "shots": 50}


@pytest.fixture(scope="module")
def study(short_run, tmp_path_factory):
    """A finished study with every dimension, its folder and its results."""
    out = tmp_path_factory.mktemp("study") / "s"
    grid = NoiseGrid(
        DEVICE, mitigations=("none", "readout"), seeds=2, twins=True, trained_at=(1.0,), **SMALL
    )
    return grid, out, run_noise_study(grid, [short_run.path], out)


def key_of(grid, run, out):
    """The key of a grid's first cell."""
    study = NoiseStudy(NoiseOptions.of(grid, [run.path]), out)
    return study.key(study.cells()[0])


def test_a_study_has_every_cell_of_its_grid_once(study):
    grid, out, results = study
    rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
    places = [(r["kind"], r["seed"], r["strength"], r["mitigation"]) for r in rows]
    noisy = [
        (kind, seed, strength, mitigation)
        for kind in ("trained exactly", "trained at × 1")
        for seed in (0, 1)
        for strength in grid.strengths
        for mitigation in grid.mitigations
    ]
    twins = [("classical blocks", seed, None, None) for seed in (0, 1)]
    assert sorted(places, key=str) == sorted(noisy + twins, key=str)
    assert len({r["key"] for r in rows}) == len(rows)
    order = [r["key"] for r in results["rows"]]
    assert results["rows"] == sorted(rows, key=lambda row: order.index(row["key"]))
    table = list(csv.DictReader((out / "rows.csv").read_text("utf-8").splitlines()))
    assert [r["key"] for r in table] == [r["key"] for r in results["rows"]]
    assert [float(r["loss"]) for r in table] == [r["loss"] for r in results["rows"]]


def test_a_parquet_table_has_the_same_rows_with_types(study, short_run):
    parquet = pytest.importorskip("pyarrow.parquet")
    grid, out, _ = study
    results = run_noise_study(grid, [short_run.path], out, Execution(table="parquet"))
    found = parquet.read_table(out / "rows.parquet")
    rows = found.to_pylist()
    table = list(csv.DictReader((out / "rows.csv").read_text("utf-8").splitlines()))
    assert found.column_names == list(table[0])
    assert {name: str(found.schema.field(name).type) for name in ("seed", "loss", "kind")} == {
        "seed": "int64",
        "loss": "double",
        "kind": "string",
    }
    for row, cells, given in zip(rows, table, results["rows"], strict=True):
        assert row["loss"] == given["loss"] and row["strength"] == given["strength"]
        assert {k: "" if v is None else str(v) for k, v in row.items()} == cells
    assert json.loads(found.schema.metadata[b"qvlm-noise-study"]) == json.loads(
        json.dumps(dataclasses.asdict(grid))
    )


def test_a_table_that_can_not_be_written_is_refused_first(short_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for table, says in (
        ("parquet", r"needs pyarrow.*qvlm-qiskit\[parquet\]"),
        ("xls", "csv, parq"),
    ):
        with pytest.raises(QVLMError, match=says):
            run_noise_study(
                NoiseGrid(DEVICE), [short_run.path], tmp_path / "s", Execution(table=table)
            )
    assert not (tmp_path / "s").exists()


def test_the_method_is_part_of_what_was_computed(short_run, tmp_path):
    keys = {}
    for method in ("auto", "aer", "density"):
        grid = NoiseGrid(DEVICE, method=method, max_age_days=10**5)
        cell = study_cells(grid, study_models(grid, [short_run], tmp_path))[0]
        keys[method] = key_of(grid, short_run, tmp_path)
        assert open_cell(cell, grid).estimator().inner.method == method
    assert len(set(keys.values())) == 3
    # an age limit changes no numbers
    assert key_of(NoiseGrid(DEVICE), short_run, tmp_path) == keys["auto"]


def test_models_are_trained_where_the_grid_says(study):
    _, out, _ = study
    found = {path.name: Run.open(path) for path in (out / "models").iterdir()}
    assert set(found) == {
        "quantum-seed-1",
        "classical-seed-0",
        "classical-seed-1",
        "quantum-trained-at-1-seed-0",
        "quantum-trained-at-1-seed-1",
    }
    about = found["quantum-trained-at-1-seed-1"].info["backend"]
    assert about["name"] == DEVICE and about["device"]["noise_scale"] == 1.0
    assert found["quantum-seed-1"].info["backend"] == {"name": "statevector"}
    assert found["quantum-seed-1"].seed == 1


def test_a_row_is_what_a_cell_gives_by_hand(study, short_run):
    grid, out, results = study
    study = NoiseStudy(NoiseOptions.of(grid, [short_run.path]), out)
    cell = study.cells()[1]
    again = computed_row(study, cell)
    (row,) = [dict(r) for r in results["rows"] if r["key"] == study.key(cell)]
    del again["seconds"], row["seconds"]
    assert again == row
    assert row["strength"] == 2.0
    assert all(entry["rms"] > 0 for entry in row["expectations"])


def test_a_finished_study_computes_nothing_again(study, short_run, monkeypatch):
    grid, out, results = study
    monkeypatch.setattr(noise_cells, "evaluate_cell", lambda *_: pytest.fail("computed again"))
    monkeypatch.setattr(noise_cells, "train_model", lambda *_: pytest.fail("trained again"))
    again = run_noise_study(grid, [short_run.path], out)
    assert again["rows"] == results["rows"]


def test_an_interrupted_study_goes_on_and_a_torn_line_is_computed_again(
    study, short_run, tmp_path, monkeypatch
):
    grid = NoiseGrid(DEVICE, **SMALL)
    out = tmp_path / "s"
    real, calls = noise_cells.evaluate_cell, []

    def dies_at_the_second(cell, grid):
        if calls:
            raise KeyboardInterrupt
        calls.append(cell)
        return real(cell, grid)

    monkeypatch.setattr(noise_cells, "evaluate_cell", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_noise_study(grid, [short_run.path], out)
    first = (out / "rows.jsonl").read_text()
    assert first.count("\n") == 1
    (out / "rows.jsonl").write_text(first + first[: len(first) // 2])
    calls.clear()
    seen = []
    monkeypatch.setattr(noise_cells, "evaluate_cell", lambda *a: (seen.append(a), real(*a))[1])
    results = run_noise_study(grid, [short_run.path], out)
    assert len(seen) == 1
    assert (out / "rows.jsonl").read_text().startswith(first)
    assert len(results["rows"]) == 2


def test_a_grid_may_grow_and_keeps_its_rows(study, short_run, tmp_path, monkeypatch):
    out = tmp_path / "s"
    small = NoiseGrid(DEVICE, **{**SMALL, "strengths": (0.0,)})
    run_noise_study(small, [short_run.path], out)
    real, seen = noise_cells.evaluate_cell, []
    monkeypatch.setattr(noise_cells, "evaluate_cell", lambda *a: (seen.append(a), real(*a))[1])
    grown = run_noise_study(NoiseGrid(DEVICE, **SMALL), [short_run.path], out)
    assert [cell.strength for cell, _ in seen] == [2.0]
    assert [row["strength"] for row in grown["rows"]] == [0.0, 2.0]
    assert grown["rows_of_other_grids"] == 0
    again = run_noise_study(small, [short_run.path], out)
    assert ([r["strength"] for r in again["rows"]], again["rows_of_other_grids"]) == ([0.0], 1)
    assert len((out / "rows.jsonl").read_text("utf-8").splitlines()) == 2
    assert len(seen) == 1


@pytest.mark.slow
def test_processes_give_the_same_table(study, short_run, tmp_path):
    grid = dataclasses.replace(study[0], seeds=0, twins=False, trained_at=(), shots=100_000)
    here = run_noise_study(grid, [short_run.path], tmp_path / "one")
    there = run_noise_study(grid, [short_run.path], tmp_path / "two", Execution(processes=2))
    # samples are drawn by the angles' last bits, which may differ from process to process
    for one, two in zip(here["rows"], there["rows"], strict=True):
        assert one["key"] == two["key"]
        assert one["gates"] == two["gates"]
        assert one["loss"] == pytest.approx(two["loss"], rel=0.01)
        for first, second in zip(one["expectations"], two["expectations"], strict=True):
            assert first["block"] == second["block"]
            assert first["rms"] == pytest.approx(second["rms"], abs=0.01)


def test_other_weights_are_another_cell(study, short_run, tiny_run):
    grid, out, _ = study
    keys = [key_of(grid, run, out) for run in (short_run, tiny_run)]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"strengths": (1e9,)}, NoiseModelError),
        ({"mitigations": ("magic",)}, QVLMError),
        ({"device": "noisy:fake_nowhere"}, QVLMError),
        ({"seeds": 1, "trained_at": (1e9,)}, NoiseModelError),
        ({"max_age_days": 1.0}, NoiseModelError),
        ({"max_age_days": -1.0}, InputError),
        ({"method": "magic"}, InputError),
    ],
)
def test_a_machine_that_cannot_be_is_refused_before_anything_is_written(
    changes, error, short_run, tmp_path
):
    with pytest.raises(error):
        run_noise_study(
            NoiseGrid(**{"device": DEVICE, **changes}), [short_run.path], tmp_path / "s"
        )
    assert not (tmp_path / "s").exists()


def test_a_folder_of_something_else_is_left_alone(short_run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not a study"):
        run_noise_study(NoiseGrid(DEVICE, **SMALL), [short_run.path], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_the_loss_is_the_models_own_on_one_batch(model, processor, samples):
    from qvlm_qiskit.data.batch import collate, encode_training

    whole = float(model(**collate(encode_training(processor, samples))).loss.detach())
    for size in (7, 40):
        found = answer_loss(model, processor, samples, batch_size=size)
        assert found == pytest.approx(whole, rel=1e-5)
    with model.run_on(open_backend("noisy:depolarizing(0.5)", precision=0)):
        assert answer_loss(model, processor, samples) != pytest.approx(whole, rel=1e-4)


def test_the_report_says_what_was_seen_and_what_was_not(study):
    _, out, results = study
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 3
    assert not re.search(r'(?:src|href)="(?!#)', page)  # nothing is loaded from elsewhere
    for point in results["points"]:
        assert point["kind"] in page
    assert "no difference seen" in page or "worse" in page or "better" in page
