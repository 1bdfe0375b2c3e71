import numpy as np
import pytest

from qvlm_qiskit.data import open_data
from qvlm_qiskit.data.digits import source_indices
from qvlm_qiskit.errors import UnknownNameError


def test_every_picture_is_in_the_split_of_the_canvases():
    for split in ("train", "test", "validation"):
        samples = list(open_data("single-digits", split))
        assert {one.sources[0] for one in samples} == set(source_indices(split).tolist())
        assert {one.answer for one in samples} == set("0123456789")
    assert {one.question for one in samples} == {"which digit is shown?"}


def test_the_seed_draws_the_order_alone():
    first, again, other = (list(open_data("single-digits", "test", 5, s)) for s in (0, 0, 1))
    assert [one.sources for one in first] == [one.sources for one in again]
    assert [one.sources for one in first] != [one.sources for one in other]
    assert first[0].image.size == (8, 8) and np.asarray(first[0].image).max() == 255


def test_another_split_is_refused():
    with pytest.raises(UnknownNameError, match="split of single-digits"):
        list(open_data("single-digits", "tests"))
