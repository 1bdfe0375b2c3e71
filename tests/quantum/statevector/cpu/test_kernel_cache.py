import logging
from types import SimpleNamespace

import pytest

from qvlm_qiskit.quantum.statevector.cpu import kernel_cache, sweeps


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    """What Numba's dispatcher says of its cache, pointed at an empty folder."""
    sweep = SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path)))
    monkeypatch.setattr(sweeps, "backward", sweep)
    kernel_cache.announce.cache_clear()
    yield tmp_path
    kernel_cache.announce.cache_clear()


def test_compiling_is_announced_once(cache_folder, caplog):
    with caplog.at_level(logging.WARNING):
        kernel_cache.announce()
        kernel_cache.announce()
    assert [r.getMessage() for r in caplog.records] == [
        "compiling the engine's kernels, once per installation: 10 to 30 seconds"
    ]


def test_nothing_is_announced_where_kernels_lie_on_disk(cache_folder, caplog):
    (cache_folder / "sweeps.backward-115.py311.nbi").touch()
    kernel_cache.announce()
    assert not caplog.records
