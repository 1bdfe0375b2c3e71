"""A promise across `jobs`, held with rows on tiles: none lost, none bought twice, no budget broken.

The service of `unreliable` stands behind the ledger, and `Spread` and `Packed` around it as they do
on machines. What a row is worth depends on its parameters alone here, so that whatever tile answers
it, a lost or mixed-up row would be seen.

Tests no single module.
"""

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.compilation.spread import Spread
from qvlm_qiskit.backends.compilation.tile_rule import TileRule
from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.devices.packed import Packed
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice
from qvlm_qiskit.backends.mitigation.techniques.pea import Pea
from qvlm_qiskit.backends.preflight.limits import JobLimits
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.errors import BudgetError, JobPending
from qvlm_qiskit.jobs import Budget, JobStore, Recorded, State, Worker
from qvlm_qiskit.jobs.verify import verify
from tests.backends.layered import layered
from tests.jobs.conftest import PATIENCE
from tests.jobs.executions import StatesExecutions
from tests.jobs.unreliable import POST_FAULTS, Server, Unreliable

TILES = 4
LEARNED = Pea(samples=2, randomizations=2)
TARGET = fake_device("fake_kolkata").target
OBSERVABLES = [["ZI"], ["IZ"]]
AMBIGUOUS = [name for name, (_, error) in POST_FAULTS.items() if error.__name__ == "AmbiguousError"]


class OnDevice(StatesExecutions):
    """The same on a whole device."""

    def jobs(self, pubs):
        return [[replace(work, target=TARGET) for work in job] for job in super().jobs(pubs)]


@pytest.fixture(scope="module")
def compiled():
    """The circuit on the device, with its observables there."""
    return open_backend("noisy:fake_kolkata", shots=100, seed=1).compile(layered(2), OBSERVABLES)


@pytest.fixture
def buy(compiled, store):
    """Asks a service for rows on tiles."""

    def ask(
        service, values, *, store=store, budget=None, repeats=0, tiles=TILES, detach=False,
        technique=None,
    ):  # fmt: skip
        worker = Worker(store, service, budget or Budget(), PATIENCE, "job")
        device = Packed(OnDevice(), {})
        recorded = Recorded(
            device, store, {"machine": "unreliable"}, worker,
            run="r-1", detach=detach, rep_delay_seconds=250e-6,
        )  # fmt: skip
        learns = MitigatedDevice(TARGET, calibration="2026-11-27")
        inner = recorded if technique is None else technique.wrap(recorded, learns)
        spread = Spread(inner, TARGET, TileRule(tiles, repeats=repeats))
        pub = EstimatorPub.coerce((compiled.circuit, compiled.observables, values, 0.1))
        return spread.run([pub]).result()[0]

    return ask


def rows(count, seed=0):
    return np.random.default_rng(seed).uniform(-3, 3, (count, 4))


def right(values):
    return np.broadcast_to(np.cos(values.sum(axis=1)), (2, len(values)))


def bought(store):
    """How often each row, with its place, is in a job that the ledger sent."""
    counted = Counter()
    for one in store.find():
        counted.update(row.key for row in store.rows_of(one.id))
    return counted


def held(store, service):
    """One job for every submission, each row bought once, and every answer readable."""
    jobs = Counter(job["tag"] for job in service.server.jobs())
    assert jobs == {one.tag: 1 for one in store.find()}
    assert {one.state for one in store.find()} == {State.ANSWERED}
    assert set(bought(store).values()) == {1}
    assert verify(store) == len(bought(store))


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_one_fault_leads_to_one_job_of_all_tiles(fault, buy, store):
    service, values = Unreliable(script=[fault]), rows(10)
    np.testing.assert_allclose(buy(service, values).data.evs, right(values), atol=1e-12)
    (submission,) = store.find()
    assert submission.rows == 10
    package = Package.from_bytes(store.blobs.get(submission.package))
    assert len(package.pubs) == TILES
    held(store, service)


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [0, 2])
def test_rows_on_tiles_under_random_faults_are_neither_lost_nor_bought_twice(repeats, buy, store):
    """Overlapping calls, each asked again after it was cut off behind its first job."""
    service, known = Unreliable(seed=7, rate=0.5), rows(60)
    rng = np.random.default_rng(1)
    for _ in range(25):
        chosen = known[rng.choice(60, size=rng.integers(1, 20), replace=False)]
        for detach in (True, False):
            try:
                found = buy(service, chosen, repeats=repeats, detach=detach)
            except JobPending:
                continue
        np.testing.assert_allclose(found.data.evs, right(chosen), atol=1e-12)
    held(store, service)
    if not repeats:
        assert len(bought(store)) <= 60


def calm(buy, tmp_path, values):
    """What a service without faults answers, where noise is learned on every tile."""
    other = JobStore(tmp_path / "calm")
    found = buy(Unreliable(), values, store=other, technique=LEARNED).data.evs
    rows = sum(bought(other).values())
    other.close()
    return found, rows


@pytest.mark.parametrize("fault", AMBIGUOUS[1:2])
def test_one_fault_leads_to_one_learning_job_of_all_tiles(fault, buy, store, tmp_path):
    service, values = Unreliable(script=[fault]), rows(5)
    expected, count = calm(buy, tmp_path, values)
    np.testing.assert_array_equal(buy(service, values, technique=LEARNED).data.evs, expected)
    held(store, service)
    assert len(bought(store)) == count
    learning = min(store.find(), key=lambda one: one.created_at)
    assert learning.rows == 3 * 54 * 2  # five rows need no more executions on three tiles


@pytest.mark.slow
def test_learning_on_tiles_under_random_faults_is_neither_lost_nor_bought_twice(
    buy, store, tmp_path
):
    """Each call is cut off behind its first job, and made again by what knows the ledger alone."""
    service = Unreliable(seed=11, rate=0.5)
    for seed in range(4):
        values = rows(6, seed)
        expected, _ = calm(buy, tmp_path / str(seed), values)
        for detach in (True, True, False):
            try:
                found = buy(service, values, technique=LEARNED, detach=detach)
            except JobPending:
                continue
        np.testing.assert_array_equal(found.data.evs, expected)
    held(store, service)


@pytest.mark.slow
def test_learning_on_tiles_never_overspends_a_budget(buy, store, tmp_path, monkeypatch):
    """108 rows on two tiles side by side are 10,800 executions, in jobs of at most 2,000."""
    monkeypatch.setattr(Unreliable, "limits", JobLimits(executions=2_000))
    service, values = Unreliable(), rows(2)
    with pytest.raises(BudgetError):
        buy(service, values, technique=LEARNED, budget=Budget(executions=5_000))
    sent = [one for one in store.find() if one.posts]
    assert 2_000 < sum(one.executions for one in sent) <= 5_000
    found = buy(service, values, technique=LEARNED, budget=Budget(executions=10**7))
    np.testing.assert_array_equal(found.data.evs, calm(buy, tmp_path, values)[0])
    held(store, service)


@pytest.mark.slow
def test_workers_with_other_numbers_of_tiles_buy_each_row_once(buy, store, compiled, place):
    """Each takes its own order; all of them find a row where the first one has put it."""
    server, values, errors = Server(), rows(24), []
    services = [Unreliable(server, seed=n, rate=0.3) for n in range(4)]

    def work(number):
        own = JobStore(*place)
        try:
            order = np.random.default_rng(number).permutation(24)
            for part in np.array_split(order, 6):
                found = buy(services[number], values[part], store=own, tiles=number + 2)
                np.testing.assert_allclose(found.data.evs, right(values[part]), atol=1e-12)
        except Exception as ex:
            errors.append(ex)
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    held(store, services[0])
    assert len(bought(store)) == 24


@pytest.mark.parametrize("executions", [200, 300, 500])
def test_a_budget_is_never_overspent_by_what_runs_side_by_side(executions, buy, store, monkeypatch):
    """Jobs of at most 200 executions: two rows on each tile, side by side in every job."""
    monkeypatch.setattr(Unreliable, "limits", JobLimits(executions=200))
    service, budget = Unreliable(), Budget(executions=executions)
    with pytest.raises(BudgetError):
        buy(service, rows(40), budget=budget)
    sent = [one for one in store.find() if one.posts]
    assert 0 < sum(one.executions for one in sent) <= executions
    found = buy(service, rows(40), budget=Budget(executions=10_000))
    np.testing.assert_allclose(found.data.evs, right(rows(40)), atol=1e-12)
    assert sum(one.executions for one in store.find()) == 1000  # ten rows on each tile
    held(store, service)
