import numpy as np
import pytest
import torch

from qvlm_qiskit.profiling.clock import in_turn, peak_bytes


def test_calls_are_made_in_turn_and_the_first_round_is_not_counted(monkeypatch):
    now, made, told = [0.0], [], []
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def takes(name, *seconds):
        left = list(seconds)

        def call():
            made.append(name)
            now[0] += left.pop(0)

        return call

    found = in_turn({"a": takes("a", 9, 1, 2, 6), "b": takes("b", 9, 3, 3, 3)}, 3, told.append)
    assert made == list("abababab")
    assert told == list(range(1, 9))
    assert found == pytest.approx({"a": 2000, "b": 3000})


@pytest.mark.parametrize(
    "make", [lambda: torch.ones(2**23), lambda: np.ones(2**22)], ids=["torch", "numpy"]
)
def test_memory_rises_by_what_is_made(make):
    """32 MiB, of torch or of NumPy."""
    found = peak_bytes(make)
    if found is None:
        pytest.skip("this system does not say how much memory a process has")
    assert 0.9 * 2**25 < found < 1.5 * 2**25
    assert peak_bytes(lambda: None) < 2**22
