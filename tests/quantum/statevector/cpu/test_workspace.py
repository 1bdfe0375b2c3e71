"""Scratch space that is kept between calls: what is taken, given back and let go."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from qvlm_qiskit.quantum.statevector.cpu import workspace
from qvlm_qiskit.quantum.statevector.cpu.workspace import borrowed

LIKE = np.empty((2, 8), np.float32)


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    monkeypatch.setattr(workspace, "_free", [])


def test_what_was_given_back_is_taken_again():
    with borrowed(3, LIKE) as first, borrowed(3, LIKE) as second:
        assert first.shape == (3, 2, 8)
        assert first.dtype == np.float32
        assert not np.shares_memory(first, second)
    with borrowed(3, LIKE) as again, borrowed(3, LIKE.astype(float)) as double:
        assert any(again is array for array in (first, second))
        assert double.dtype == np.float64


def test_a_failure_gives_it_back_too():
    with pytest.raises(ZeroDivisionError), borrowed(1, LIKE):
        raise ZeroDivisionError
    assert len(workspace._free) == 1


def test_no_more_is_kept_than_is_allowed(monkeypatch):
    monkeypatch.setattr(workspace, "MOST_BYTES", 3 * LIKE.nbytes)
    with borrowed(2, LIKE) as old:
        pass
    with borrowed(3, LIKE) as new:
        pass
    assert [array is new for array in workspace._free] == [True]
    assert old is not new


def test_threads_never_share_it():
    def fill(number):
        for _ in range(200):
            with borrowed(1, LIKE) as array:
                array[:] = number
                assert (array == number).all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
