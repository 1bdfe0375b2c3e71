import json
import shutil

import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.noise.grid import NoiseGrid
from qvlm_qiskit.studies.noise.models import study_models

DEVICE = "noisy:fake_manila"


def test_runs_that_are_not_alike_are_refused(short_run, tiny_run, tmp_path):
    with pytest.raises(InputError, match="differ"):
        study_models(NoiseGrid((DEVICE,)), [short_run, tiny_run], tmp_path)
    with pytest.raises(InputError, match="same options"):
        study_models(NoiseGrid((DEVICE,)), [short_run, short_run], tmp_path)
    with pytest.raises(InputError, match="at least one"):
        study_models(NoiseGrid((DEVICE,)), [], tmp_path)


def test_models_are_trained_on_every_device_under_names_of_their_own(short_run, tmp_path):
    grid = NoiseGrid((DEVICE, "noisy:fake_lima"), seeds=1, trained_at=(1.0,))
    found = study_models(grid, [short_run], tmp_path)
    noisy = {model.kind: model for model in found if model.trained_at}
    assert set(noisy) == {"trained at × 1 on fake_manila", "trained at × 1 on fake_lima"}
    assert len({model.path for model in found}) == len(found)
    one = study_models(NoiseGrid((DEVICE,), seeds=1, trained_at=(1.0,)), [short_run], tmp_path)
    assert [model.kind for model in one] == ["trained exactly", "trained at × 1"]
    assert one[1].path == noisy["trained at × 1 on fake_manila"].path


def test_a_model_of_an_earlier_release_counts_for_its_own_device_only(short_run, tmp_path):
    """Its folder has the name of no device."""
    old = tmp_path / "quantum-trained-at-1-seed-0"
    shutil.copytree(short_run.path, old)
    info = {**short_run.info, "backend": {"name": DEVICE, "device": {"noise_scale": 1.0}}}
    (old / "run.json").write_text(json.dumps(info))
    paths = {
        device: study_models(
            NoiseGrid((device,), seeds=1, trained_at=(1.0,)), [short_run], tmp_path
        )[-1].path
        for device in (DEVICE, "noisy:fake_lima")
    }
    assert paths[DEVICE] == old
    assert paths["noisy:fake_lima"].name.startswith("quantum-trained-at-1-seed-0-on-fake_lima")
