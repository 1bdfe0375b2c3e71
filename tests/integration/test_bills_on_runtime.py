"""What the loopback service's bills teach about the next one, with a clock that is no formula's."""

import numpy as np
import pytest

from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.costs.learned import learned
from tests.integration.test_jobs_on_runtime import DEVICE, buy, estimator_on
from tests.runtime_server import RuntimeServer
from tests.runtime_server.machines import Machine


@pytest.fixture
def slow_clock(monkeypatch):
    """A service that pauses 1.6 times as long between shots as its machine says."""
    honest = Machine.rep_delay_seconds.fget
    monkeypatch.setattr(Machine, "rep_delay_seconds", property(lambda self: 1.6 * honest(self)))
    with RuntimeServer([DEVICE], instant=True) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.usefixtures("slow_clock")
def test_after_five_jobs_the_next_bill_is_known(tmp_path):
    store = JobStore(tmp_path / "jobs")
    estimator, start = estimator_on(store), 0.0
    for size in (2, 30, 12, 50, 20):
        buy(estimator, start + np.arange(size) / 100)
        start += size / 100
    found = learned(store, f"ibm:{DEVICE}")
    assert found.bills == 5
    buy(estimator, start + np.arange(40) / 100)
    (last,) = [one for one in store.find() if one.rows == 40]
    assert found.seconds(1, last.seconds_estimated) == pytest.approx(last.seconds_used, rel=0.05)
    assert last.seconds_estimated != pytest.approx(last.seconds_used, rel=0.05)
    store.close()
