import importlib

import pytest

from tests.models.colours import EXAMPLE, colour_folder


@pytest.fixture
def example(plain_path):
    """The class of the documentation's example."""
    return importlib.import_module(EXAMPLE.stem).PictureClassifier


@pytest.fixture(scope="session")
def plain_path():
    """The documentation's folder among those where Python finds modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLE.parent))
        yield


@pytest.fixture(scope="session")
def colours(tmp_path_factory):
    """A folder of pictures in three colours."""
    return colour_folder(tmp_path_factory.mktemp("pictures") / "colours")
