import numpy as np
import pytest
from PIL import Image

from qvlm_qiskit.basics.bars import no_transformers_bars
from tests.adapter import hubs


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A folder with tiny towers and language models."""
    with no_transformers_bars():
        return hubs.write(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="session")
def pictures():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 20, 24, 3), dtype=np.uint8)
    return [Image.fromarray(one) for one in pixels]
