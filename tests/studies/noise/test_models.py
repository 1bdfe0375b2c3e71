import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.noise import NoiseStudy
from qvlm_qiskit.studies.noise.grid import NoiseGrid, NoiseOptions
from qvlm_qiskit.studies.noise.models import StudyModel, study_cells, study_models
from qvlm_qiskit.training import TrainingOptions

DEVICE = "noisy:fake_manila"


def test_runs_that_are_not_alike_are_refused(short_run, tiny_run, tmp_path):
    with pytest.raises(InputError, match="differ"):
        study_models(NoiseGrid(DEVICE), [short_run, tiny_run], tmp_path)
    with pytest.raises(InputError, match="same options"):
        study_models(NoiseGrid(DEVICE), [short_run, short_run], tmp_path)
    with pytest.raises(InputError, match="at least one"):
        study_models(NoiseGrid(DEVICE), [], tmp_path)


def test_folders_of_earlier_releases_are_gone_on_with(tmp_path):
    """The keys of cells are those that the first release wrote."""
    options = TrainingOptions(
        recipe="tiny", blocks="quantum", steps=2, batch_size=8, learning_rate=1e-3,
        weight_decay=0.05, warmup_steps=None, train_samples=32, checkpoint_every=250, seed=1,
    )  # fmt: skip
    grid = NoiseGrid(DEVICE, strengths=(0.0, 2.0), questions=4, rows=3, shots=50)
    study = NoiseStudy(NoiseOptions.of(grid, []), tmp_path)
    model = StudyModel(options, DEVICE, 1.0, tmp_path)
    keys = [study.key(cell) for cell in study_cells(grid, [model])]
    assert keys == ["ce1c43551dd8f864", "a96043eab7999280"]
    assert study.header == {"format": "qvlm-noise-study", "version": 1}
