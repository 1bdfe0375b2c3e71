import logging
from types import SimpleNamespace

import pytest
import torch

from qvlm_qiskit.quantum.statevector.cpu import sweeps, warm_up


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    """What Numba's dispatcher says of its cache, pointed at an empty folder."""
    sweep = SimpleNamespace(stats=SimpleNamespace(cache_path=str(tmp_path)))
    monkeypatch.setattr(sweeps, "backward", sweep)
    warm_up.announce.cache_clear()
    yield tmp_path
    warm_up.announce.cache_clear()


def test_compiling_is_announced_once(cache_folder, caplog):
    with caplog.at_level(logging.WARNING):
        warm_up.announce()
        warm_up.announce()
    assert [r.getMessage() for r in caplog.records] == [
        "compiling the engine's kernels, once per installation: 10 to 30 seconds"
    ]


def test_nothing_is_announced_where_kernels_lie_on_disk(cache_folder, caplog):
    (cache_folder / "sweeps.backward-115.py311.nbi").touch()
    warm_up.announce()
    assert not caplog.records


def test_after_warming_up_numba_has_its_files_where_they_are_looked_for():
    assert warm_up.warm_up() > 0
    assert warm_up.is_compiled()
    assert sweeps.backward.signatures and sweeps.forward.signatures
    assert warm_up.warm_up(torch.float64) > 0
