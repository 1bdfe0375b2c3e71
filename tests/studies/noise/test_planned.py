import dataclasses

import pytest

from qvlm_qiskit.studies.noise import planned as planning
from qvlm_qiskit.studies.noise.grid import NoiseGrid
from qvlm_qiskit.studies.noise.machines import study_cells
from qvlm_qiskit.studies.noise.models import study_models
from qvlm_qiskit.studies.noise.planned import planned, probe
from tests.studies.noise.small import DEVICE, SMALL

GRID = NoiseGrid((DEVICE,), mitigations=("none", "readout"), **SMALL)


@pytest.fixture
def cells(short_run, tmp_path):
    return study_cells(GRID, study_models(GRID, [short_run], tmp_path))


def row(cell, seconds):
    machine = cell.machine
    if machine is None:
        return {"strength": None, "seconds": seconds}
    names = ("device", "shots", "mitigation", "strength")
    return {**{name: getattr(machine, name) for name in names}, "seconds": seconds}


def test_finished_rows_of_the_same_sort_say_how_long_the_others_take(cells):
    rows = [row(cells[0], 20.0), row(cells[0], 40.0), row(cells[2], 100.0), row(cells[-1], 5.0)]
    said = planned(GRID, cells, [], rows)
    assert said.startswith(
        "planned: 5 evaluations of 4 questions; at most about 4 min of one process"
    )
    assert "few questions" not in said  # 2 · 30 + 2 · 100 + 5 s, and nothing had to be asked
    assert planned(GRID, cells[:1], [], rows).startswith("planned: 1 evaluation")
    assert "about 30 s" in planned(GRID, cells[:1], [], rows)
    assert "all are there" in planned(GRID, [], [], rows)


def test_sorts_that_nobody_has_measured_are_asked_once_each(cells, monkeypatch):
    asked = []
    monkeypatch.setattr(
        planning, "probe", lambda cell, grid: asked.append(cell.machine) or (60.0, 3540.0)
    )
    said = planned(GRID, cells, [cells[0].model], [row(cells[0], 1800.0)])
    # two more without a technique, two with readout, one exactly
    assert "1 model to train" in said and "about 4.0 h" in said and "few questions" in said
    assert [None if one is None else one.mitigation for one in asked] == ["readout", None]


def test_a_measured_time_is_that_of_more_questions(cells, monkeypatch):
    """With a clock of our own: 10 s to compile, 2 s for each evaluation and 0.5 s a question."""
    clock, compiled = [0.0], []

    def evaluate(exam, backend):
        clock[0] += 2 + 0.5 * len(exam.samples) + (0 if compiled else 10)
        compiled.append(backend)

    monkeypatch.setattr(planning, "evaluate_on", evaluate)
    monkeypatch.setattr(planning.time, "perf_counter", lambda: clock[0])
    for questions, seconds in ((4, 6), (8, 6), (100, 52)):
        compiled.clear()
        once, each = probe(cells[0], dataclasses.replace(GRID, questions=questions))
        assert (once, each) == (pytest.approx(16), pytest.approx(1.5 * seconds))


def test_a_machine_is_really_asked(cells):
    once, each = probe(cells[0], GRID)
    assert once > 0 and each > 0
