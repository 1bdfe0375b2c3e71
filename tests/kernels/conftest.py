import numpy as np
import pytest

from tests.quantum.conftest import counting_statevector  # noqa: F401


@pytest.fixture(scope="session")
def rows():
    """Twelve points of three features."""
    return np.random.default_rng(0).uniform(0.2, 2.5, (12, 3))


@pytest.fixture(scope="session")
def others():
    """Four other points of three features."""
    return np.random.default_rng(1).uniform(0.2, 2.5, (4, 3))


@pytest.fixture(scope="session")
def labels(rows):
    """Two classes of the twelve points, of different sizes."""
    return np.where(rows[:, 0] + rows[:, 1] > 3.0, "high", "low")


@pytest.fixture(scope="session")
def numbers(rows):
    """A number for each of the twelve points."""
    return 10 + np.sin(rows[:, 0]) * rows[:, 1]
