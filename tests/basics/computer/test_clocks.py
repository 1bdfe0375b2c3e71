import threading
import time

import pytest

from qvlm_qiskit.basics.computer import clocks


def test_the_clock_of_the_boot_only_goes_forward():
    first = clocks.seconds_since_boot()
    time.sleep(0.01)
    assert 0.01 <= clocks.seconds_since_boot() - first < 60


def test_a_wall_clock_that_is_set_changes_nothing(monkeypatch):
    before = clocks.seconds_since_boot()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= clocks.seconds_since_boot() - before < 60


def test_a_boot_has_the_id_that_the_kernel_states(monkeypatch, tmp_path):
    monkeypatch.setattr(clocks, "BOOT_ID", tmp_path / "boot_id")
    assert clocks.boot()[0] is None
    (tmp_path / "boot_id").write_text("7d1f\n", "ascii")
    assert clocks.boot_id() == clocks.boot()[0] == "7d1f"


def test_where_the_kernel_has_no_such_clock_the_monotonic_one_is_asked(monkeypatch):
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    before = time.monotonic()
    assert before <= clocks.seconds_since_boot() <= time.monotonic()


@pytest.mark.parametrize(("seconds", "said"), [(0.01, True), (60, False)])
def test_what_takes_too_long_is_said_and_nothing_else(seconds, said):
    called = threading.Event()
    with clocks.unless_done(seconds, called.set):
        called.wait(10 if said else 0.05)
    assert called.is_set() is said
