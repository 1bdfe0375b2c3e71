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
    assert planned(GRID, cells[:1], [], rows).startswith("planned: 1 evaluations")
    assert "about 30 s" in planned(GRID, cells[:1], [], rows)
    assert "all are there" in planned(GRID, [], [], rows)


def test_sorts_that_nobody_has_measured_are_asked_once_each(cells, monkeypatch):
    asked = []
    monkeypatch.setattr(
        planning, "probe", lambda cell, grid: asked.append(cell.machine) or (60.0, 3540.0)
    )
    said = planned(GRID, cells, [cells[0].model], [row(cells[0], 1800.0)])
    # two more without a technique, two with readout, one exactly
    assert "1 models to train" in said and "about 4.0 h" in said and "few questions" in said
    assert [None if one is None else one.mitigation for one in asked] == ["readout", None]


def test_a_measured_time_grows_with_the_questions(cells):
    import dataclasses

    (once, few), (_, many) = (
        probe(cells[0], dataclasses.replace(GRID, questions=n)) for n in (4, 4000)
    )
    assert 0 < few < many and once > 0
