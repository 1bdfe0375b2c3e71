import csv
import dataclasses
import json
import sys

import pytest

from qvlm_qiskit.errors import InputError, QVLMError
from qvlm_qiskit.studies.grid_study import Execution
from qvlm_qiskit.studies.noise import cells as noise_cells
from qvlm_qiskit.studies.noise import run_noise_study
from qvlm_qiskit.studies.noise.grid import NoiseGrid
from tests.studies.noise.small import DEVICE, SMALL, key_of


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
    exactly = [
        (kind, seed, None, None)
        for kind in ("trained exactly", "trained at × 1", "classical blocks")
        for seed in (0, 1)
    ]
    assert sorted(places, key=str) == sorted(noisy + exactly, key=str)
    assert len({r["key"] for r in rows}) == len(rows)
    order = [r["key"] for r in results["rows"]]
    assert results["rows"] == sorted(rows, key=lambda row: order.index(row["key"]))
    table = list(csv.DictReader((out / "rows.csv").read_text("utf-8").splitlines()))
    assert [r["key"] for r in table] == [r["key"] for r in results["rows"]]
    assert [float(r["loss"]) for r in table] == [r["loss"] for r in results["rows"]]


@pytest.mark.slow
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
                NoiseGrid((DEVICE,)), [short_run.path], tmp_path / "s", Execution(table=table)
            )
    assert not (tmp_path / "s").exists()


def test_a_finished_study_computes_nothing_again(study, short_run, monkeypatch):
    grid, out, results = study
    monkeypatch.setattr(noise_cells, "evaluate_cell", lambda *_: pytest.fail("computed again"))
    monkeypatch.setattr(noise_cells, "train_model", lambda *_: pytest.fail("trained again"))
    again = run_noise_study(grid, [short_run.path], out)
    assert again["rows"] == results["rows"]


def test_an_interrupted_study_goes_on_and_a_torn_line_is_computed_again(
    study, short_run, tmp_path, monkeypatch
):
    grid = NoiseGrid((DEVICE,), **SMALL)
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
    assert len(seen) == 2
    assert (out / "rows.jsonl").read_text().startswith(first)
    assert len(results["rows"]) == 3


@pytest.mark.slow
def test_a_grid_may_grow_and_keeps_its_rows(study, short_run, tmp_path, monkeypatch):
    out = tmp_path / "s"
    small = NoiseGrid((DEVICE,), **{**SMALL, "strengths": (0.0,)})
    run_noise_study(small, [short_run.path], out)
    real, seen = noise_cells.evaluate_cell, []
    monkeypatch.setattr(noise_cells, "evaluate_cell", lambda *a: (seen.append(a), real(*a))[1])
    grown = run_noise_study(NoiseGrid((DEVICE,), **SMALL), [short_run.path], out)
    assert [cell.machine.strength for cell, _ in seen] == [2.0]
    assert [row["strength"] for row in grown["rows"]] == [0.0, 2.0, None]
    assert grown["rows_of_other_grids"] == 0
    again = run_noise_study(small, [short_run.path], out)
    strengths = [r["strength"] for r in again["rows"]]
    assert (strengths, again["rows_of_other_grids"]) == ([0.0, None], 1)
    assert len((out / "rows.jsonl").read_text("utf-8").splitlines()) == 3
    assert len(seen) == 1


@pytest.mark.slow
def test_processes_give_the_same_table(study, short_run, tmp_path):
    grid = dataclasses.replace(study[0], seeds=0, twins=False, trained_at=(), shots=(100_000,))
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


def test_a_folder_of_something_else_is_left_alone(short_run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not a study"):
        run_noise_study(NoiseGrid((DEVICE,), **SMALL), [short_run.path], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
