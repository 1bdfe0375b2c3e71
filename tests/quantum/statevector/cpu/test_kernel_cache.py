import logging

import pytest

from qvlm_qiskit.quantum.statevector.cpu import kernel_cache


@pytest.fixture
def kept(monkeypatch):
    """Says whether kernels lie on disk."""
    answers = []
    monkeypatch.setattr(kernel_cache, "on_disk", lambda kernel: answers[0])
    kernel_cache.announce.cache_clear()
    yield answers
    kernel_cache.announce.cache_clear()


def test_compiling_is_announced_once(kept, caplog):
    kept.append(False)
    with caplog.at_level(logging.WARNING):
        kernel_cache.announce()
        kernel_cache.announce()
    assert [r.getMessage() for r in caplog.records] == [
        "compiling the engine's kernels, once per installation: about a minute"
    ]


def test_nothing_is_announced_where_kernels_lie_on_disk(kept, caplog):
    kept.append(True)
    kernel_cache.announce()
    assert not caplog.records
