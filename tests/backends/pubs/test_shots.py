"""Shots and precisions, and the seeds of a pub."""

import pytest

from qvlm_qiskit.backends.pubs.shots import content_seed, precision_of_shots, shots_of_precision
from qvlm_qiskit.errors import InputError


@pytest.mark.parametrize("shots", [1, 3, 100, 1000, 1024, 4096, 9999, 123457])
def test_shots_survive_the_way_through_a_precision(shots):
    assert shots_of_precision(precision_of_shots(shots)) == shots


@pytest.mark.parametrize("precision", [0.0, -0.1, float("nan")])
def test_a_precision_that_sampling_never_reaches_is_refused(precision):
    with pytest.raises(InputError, match="needs one above 0"):
        shots_of_precision(precision)


def test_a_seed_belongs_to_the_user_and_the_work():
    first, other = "ab" * 32, "cd" * 32
    assert content_seed(1, first) == content_seed(1, first)
    assert len({content_seed(1, first), content_seed(2, first), content_seed(1, other)}) == 3
    assert content_seed(None, first) != content_seed(None, first)
