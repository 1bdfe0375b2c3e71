"""A table with a bound."""

import pytest

from qvlm_qiskit.caches import LRU


def test_what_is_kept_is_not_made_again():
    kept, made = LRU(2), []
    for key in ("a", "b", "a", "b"):
        assert kept.get(key, lambda key=key: made.append(key) or key) == key
    assert made == ["a", "b"]


def test_the_one_that_was_not_used_for_longest_goes():
    kept, made = LRU(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        kept.get(key, lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]
    assert len(kept) == 2


def test_a_failure_is_not_kept():
    kept = LRU(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 1) == 1


def test_nothing_is_left_after_clearing():
    kept = LRU(2)
    kept.get("a", lambda: 1)
    kept.clear()
    assert len(kept) == 0
