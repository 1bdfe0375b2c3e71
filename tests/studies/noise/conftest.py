import dataclasses

import pytest

from qvlm_qiskit.training import train


@pytest.fixture(scope="session")
def short_run(tiny_options, tmp_path_factory):
    """Trained just enough to be a run folder: the study trains others like it."""
    options = dataclasses.replace(tiny_options, steps=2, train_samples=32)
    return train(options, tmp_path_factory.mktemp("short") / "run")
