"""What the tests of devices share as fixtures."""

import pytest

from qvlm_qiskit.backends import open_noise


@pytest.fixture
def saved(tmp_path):
    """A file with the calibration of a five-qubit device."""
    path = tmp_path / "manila.json"
    open_noise("fake_manila").save(path)
    return path
