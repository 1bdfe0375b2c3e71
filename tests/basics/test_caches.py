import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from qvlm_qiskit.basics.caches import LruCache


def test_a_value_is_made_once_and_the_longest_unasked_is_forgotten():
    cache, made = LruCache(2), []

    def get(key):
        return cache.get(key, lambda: made.append(key) or key.upper())

    assert [get(key) for key in "abacab"] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]
    assert cache.values() == ["A", "B"]
    assert len(cache) == 2
    cache.clear()
    assert len(cache) == 0


def test_an_error_is_nobodys_value():
    cache = LruCache(2)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 / 0)
    assert cache.get("a", lambda: 1) == 1


def test_several_threads_make_one_value():
    cache, made = LruCache(4), []

    def make():
        sleep(0.01)
        made.append(1)
        return len(made)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: cache.get("key", make), range(16))) == [1] * 16


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_a_copy_starts_empty(duplicate):
    cache = LruCache(3)
    cache.get("key", lambda: print)
    other = duplicate(cache)
    assert (len(cache), len(other), other.size) == (1, 0, 3)
    assert other.get("key", lambda: 2) == 2
