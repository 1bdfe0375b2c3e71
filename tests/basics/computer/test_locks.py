"""Locks in forked processes."""

import os
import threading

import pytest

from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.basics.computer.locks import new_lock


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_lock_that_another_thread_holds_is_open_in_a_forked_process():
    lock, cache = new_lock(), LruCache(2)
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock, cache._lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        taken = lock.acquire(timeout=10) and cache._lock.acquire(timeout=10)
        os._exit(0 if taken else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not lock.acquire(blocking=False)
    done.set()
    thread.join()
