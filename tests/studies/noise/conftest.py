import dataclasses

import pytest

from qvlm_qiskit.studies.noise import run_noise_study
from qvlm_qiskit.studies.noise.grid import NoiseGrid
from qvlm_qiskit.training import train
from tests.studies.noise.small import DEVICE, SMALL


@pytest.fixture(scope="session")
def short_run(tiny_options, tmp_path_factory):
    """Trained just enough to be a run folder: the study trains others like it."""
    options = dataclasses.replace(tiny_options, steps=2, train_samples=32)
    return train(options, tmp_path_factory.mktemp("short") / "run")


@pytest.fixture(scope="session")
def study(short_run, tmp_path_factory):
    """A finished study with every dimension, its folder and its results."""
    out = tmp_path_factory.mktemp("study") / "s"
    grid = NoiseGrid(
        (DEVICE,), mitigations=("none", "readout"), seeds=2, twins=True, trained_at=(1.0,), **SMALL
    )
    return grid, out, run_noise_study(grid, [short_run.path], out)
