import numpy as np
import pytest

from qvlm_qiskit.quantum.executors.tiles import padded, spread, tiled, untiled


@pytest.mark.parametrize(("batch", "lanes"), [(1, 1), (5, 2), (6, 4)])
def test_rows_come_back_from_tiles(batch, lanes):
    rows = np.random.default_rng(0).normal(size=(batch, 3))
    tiles = -(-batch // lanes)
    array = tiled(rows, tiles, lanes)
    assert array.shape == (tiles, 3, lanes)
    assert np.array_equal(untiled(array, batch), rows)
    assert not padded(rows, tiles * lanes)[batch:].any()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_tile_is_worked_on_once_and_what_fails_is_raised(threads):
    done = []
    spread(lambda first, last: done.extend(range(first, last)), 5, threads)
    assert sorted(done) == [0, 1, 2, 3, 4]

    def fail(first, last):
        if last == 5:
            raise ValueError("the last one")

    with pytest.raises(ValueError, match="the last one"):
        spread(fail, 5, threads)
