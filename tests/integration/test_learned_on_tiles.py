"""Learned noise and "auto" on tiles, by the loopback service: planned, bought once, resumed."""

import os
import subprocess
import sys

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import JobPending, MitigationError
from qvlm_qiskit.jobs import JobStore, State
from qvlm_qiskit.jobs.verify import verify
from tests.integration.conftest import learning_server
from tests.integration.dying_learner import CIRCUIT, OBSERVABLES, ROOT, asked, opened

PEA = "pea(samples=4,randomizations=2)"
TILES = 3
EACH = 54 * 2 * 512
VALUES = np.random.default_rng(4).uniform(-3, 3, (6, 1))


def planned(mitigation):
    subject = {"c": (CIRCUIT, OBSERVABLES)}
    backend = opened(mitigation, tiles=TILES)
    return backend.preflight(subject, len(VALUES), mitigations=[mitigation]).levels[0]


def to_the_end(mitigation, store):
    """A process after the other, each of which leaves when its first jobs were sent."""
    for _ in range(20):
        try:
            return asked(opened(mitigation, tiles=TILES), store, values=VALUES, detach=True)
        except JobPending:
            continue
    raise AssertionError("it does not end")


def held(store, server):
    assert {one.state for one in store.find()} == {State.ANSWERED}
    assert len(server.jobs) == len(store.find())
    assert verify(store) == sum(one.rows for one in store.find())


def test_all_tiles_are_learned_side_by_side_and_what_is_planned_is_executed(server, store):
    plan = planned(PEA)
    assert plan.calibration_executions == EACH  # as much as one tile alone
    asked(opened(PEA, tiles=TILES), store, values=VALUES)
    found = store.find()
    assert sum(one.executions for one in found) == plan.executions
    assert len(found) == plan.jobs == 3
    (learning,) = (one for one in found if one.executions == EACH)
    assert learning.rows == TILES * 54 * 2
    held(store, server)


@pytest.mark.slow
def test_what_is_left_and_gone_on_with_ends_in_the_same_bits(server, store, tmp_path):
    found = to_the_end(PEA, store)
    held(store, server)
    other = JobStore(tmp_path / "undisturbed")
    np.testing.assert_array_equal(found, asked(opened(PEA, tiles=TILES), other, values=VALUES))
    other.close()


@pytest.mark.slow
def test_auto_on_tiles_stays_within_its_plan_and_ends_in_the_same_bits(server, store, tmp_path):
    mitigation = "auto(circuits=4,budget=2000000,techniques=none,zne,pea)"
    plan = planned(mitigation)
    assert plan.at_most
    found = to_the_end(mitigation, store)
    held(store, server)
    assert sum(one.executions for one in store.find()) <= plan.executions
    other = JobStore(tmp_path / "undisturbed")
    np.testing.assert_array_equal(
        found, asked(opened(mitigation, tiles=TILES), other, values=VALUES)
    )
    other.close()


@pytest.mark.slow
def test_killed_when_learning_was_accepted_nothing_is_bought_again(server, store, tmp_path):
    store.close()
    died = subprocess.run(
        [sys.executable, "-m", "tests.integration.dying_learner", str(tmp_path / "jobs"), "2"],
        cwd=ROOT, env={**os.environ, **server.environment(), "OMP_NUM_THREADS": "1"},
        timeout=600, check=False,
    )  # fmt: skip
    assert died.returncode == -9
    again, other = JobStore(tmp_path / "jobs"), JobStore(tmp_path / "undisturbed")
    found = asked(opened(PEA, tiles=2), again)
    assert len(server.jobs) == len(again.find()) == 3
    np.testing.assert_array_equal(found, asked(opened(PEA, tiles=2), other))
    again.close()
    other.close()


def test_a_tile_that_learning_does_not_pay_for_is_refused_before_anything_is_sent(server, store):
    with pytest.raises(MitigationError, match="learning=1,000 allows fewer"):
        asked(opened("pea(learning=1000,randomizations=2)", tiles=TILES), store, values=VALUES)
    assert len(server.jobs) == 0


@pytest.mark.slow
def test_values_on_tiles_are_right_where_noise_was_learned(tmp_path):
    stack, _ = learning_server()
    exact = open_backend("statevector").estimator()
    expected = exact.run([(CIRCUIT, OBSERVABLES, VALUES)]).result()[0].data.evs
    with stack:
        ledger = JobStore(tmp_path / "jobs")
        errors = {
            name: np.sqrt(
                np.mean((asked(opened(name, 20_000, TILES), ledger, values=VALUES) - expected) ** 2)
            )
            for name in ("readout", "readout+pec(model=learned)")
        }
        learning = [one for one in ledger.find() if one.rows == TILES * 54 * 8]
        ledger.close()
    print(errors)
    assert len(learning) == 1
    assert errors["readout+pec(model=learned)"] < 0.7 * errors["readout"]
