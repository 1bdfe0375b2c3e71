import pytest

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import read_kinds
from qvlm_qiskit.studies.noise import NoiseStudy
from qvlm_qiskit.studies.noise.grid import NoiseGrid, NoiseOptions
from qvlm_qiskit.studies.noise.machines import (
    choices,
    device_kinds,
    study_cells,
    study_machines,
)
from qvlm_qiskit.studies.noise.models import StudyModel
from qvlm_qiskit.training import TrainingOptions

DEVICE = "noisy:fake_manila"
CROSSED = "noisy:fake_manila+zz(0.1)"
OPTIONS = TrainingOptions(
    recipe="tiny", blocks="quantum", steps=2, batch_size=8, learning_rate=1e-3,
    weight_decay=0.05, warmup_steps=None, train_samples=32, checkpoint_every=250, seed=1,
)  # fmt: skip


def test_folders_of_earlier_releases_are_gone_on_with(tmp_path):
    """The keys of cells are those that the first release wrote; exact ones are new."""
    grid = NoiseGrid((DEVICE,), strengths=(0.0, 2.0), questions=4, rows=3, shots=(50,))
    study = NoiseStudy(NoiseOptions.of(grid, []), tmp_path)
    cells = study_cells(grid, [StudyModel(OPTIONS, DEVICE, 1.0, tmp_path)])
    keys = [study.key(cell) for cell in cells]
    assert keys[:2] == ["ce1c43551dd8f864", "a96043eab7999280"]
    assert [cell.machine for cell in cells[2:]] == [None]
    assert study.header == {"format": "qvlm-noise-study", "version": 1}


def test_every_axis_is_crossed_with_every_other_and_each_cell_is_there_once(tmp_path):
    grid = NoiseGrid(
        (DEVICE, CROSSED), strengths=(0.0, 1.0), mitigations=("none", "readout"),
        shots=(10, 20), error_kinds=("one-at-a-time", "all", "readout"),
    )  # fmt: skip
    machines = study_machines(grid)
    assert len(set(machines)) == len(machines) == 2 * 2 * ((1 + 5) + (1 + 6))
    # without noise there are no kinds to tell apart
    assert {one.error_kinds for one in machines if not one.strength} == {"all"}
    assert {one.error_kinds for one in machines if one.device == CROSSED} == {
        "all", "readout", "one-qubit", "two-qubit", "relaxation", "crosstalk",
    }  # fmt: skip
    study = NoiseStudy(NoiseOptions.of(grid, []), tmp_path)
    cells = study_cells(grid, [StudyModel(OPTIONS, "statevector", 0.0, tmp_path)])
    assert len({study.key(cell) for cell in cells}) == len(cells) == len(machines) + 1


def test_all_but_one_leaves_out_what_the_device_has():
    grid = NoiseGrid((DEVICE,), error_kinds=("all-but-one",))
    found = choices(grid, DEVICE)
    assert found[0] == "one-qubit+two-qubit+relaxation" and len(found) == 4
    there = device_kinds(DEVICE, None)
    assert [set(there) - read_kinds(one) for one in found] == [{kind} for kind in there]
    # a noise of one kind without it would be none
    assert choices(NoiseGrid(("noisy:readout(0.1)",), error_kinds=("all-but-one",)),
                   "noisy:readout(0.1)") == []  # fmt: skip


def test_a_calibration_that_is_too_old_is_refused():
    grid = NoiseGrid((DEVICE,), error_kinds=("one-at-a-time",), max_age_days=1.0)
    with pytest.raises(NoiseModelError, match="stale"):
        study_machines(grid)


def test_a_model_without_circuits_is_evaluated_once(tmp_path):
    twin = TrainingOptions(recipe="tiny", blocks="classical", steps=2)
    (cell,) = study_cells(NoiseGrid((DEVICE,)), [StudyModel(twin, "statevector", 0.0, tmp_path)])
    assert cell.machine is None
