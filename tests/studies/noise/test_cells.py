import pytest

from qvlm_qiskit.errors import InputError, NoiseModelError, QVLMError
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.grid_study import computed_row
from qvlm_qiskit.studies.noise import NoiseStudy, run_noise_study
from qvlm_qiskit.studies.noise.cells import open_cell
from qvlm_qiskit.studies.noise.grid import NoiseGrid, NoiseOptions
from qvlm_qiskit.studies.noise.machines import study_cells
from qvlm_qiskit.studies.noise.models import study_models
from tests.studies.noise.small import DEVICE, key_of


def test_the_method_is_part_of_what_was_computed(short_run, tmp_path):
    keys = {}
    for method in ("auto", "aer", "density"):
        grid = NoiseGrid((DEVICE,), method=method, max_age_days=10**5)
        cell = study_cells(grid, study_models(grid, [short_run], tmp_path))[0]
        keys[method] = key_of(grid, short_run, tmp_path)
        assert open_cell(cell, grid).estimator().inner.method == method
    assert len(set(keys.values())) == 3
    # an age limit changes no numbers
    assert key_of(NoiseGrid((DEVICE,)), short_run, tmp_path) == keys["auto"]


@pytest.mark.slow
def test_models_are_trained_where_the_grid_says(study):
    _, out, _ = study
    found = {path.name: Run.open(path) for path in (out / "models").iterdir()}
    assert set(found) == {
        "quantum-seed-1",
        "classical-seed-0",
        "classical-seed-1",
        "quantum-trained-at-1-seed-0-on-fake_manila-e283f1a9",
        "quantum-trained-at-1-seed-1-on-fake_manila-e283f1a9",
    }
    about = found["quantum-trained-at-1-seed-1-on-fake_manila-e283f1a9"].info["backend"]
    assert about["name"] == DEVICE and about["device"]["noise_scale"] == 1.0
    assert found["quantum-seed-1"].info["backend"] == {"name": "statevector"}
    assert found["quantum-seed-1"].seed == 1


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"strengths": (1e9,)}, NoiseModelError),
        ({"mitigations": ("magic",)}, QVLMError),
        ({"devices": ("noisy:fake_nowhere",)}, QVLMError),
        ({"seeds": 1, "trained_at": (1e9,)}, NoiseModelError),
        ({"max_age_days": 1.0}, NoiseModelError),
        ({"max_age_days": -1.0}, InputError),
        ({"method": "magic"}, InputError),
        ({"error_kinds": ("readout", "crosstalk")}, NoiseModelError),
    ],
)
def test_a_machine_that_cannot_be_is_refused_before_anything_is_written(
    changes, error, short_run, tmp_path
):
    with pytest.raises(error):
        run_noise_study(
            NoiseGrid(**{"devices": (DEVICE,), **changes}), [short_run.path], tmp_path / "s"
        )
    assert not (tmp_path / "s").exists()
