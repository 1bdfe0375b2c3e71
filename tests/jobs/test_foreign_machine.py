"""A promise across `jobs`: a foreign machine's jobs are counted, limited and never bought twice.

Tests no single module: the machine is one of another distribution.
"""

import importlib
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit.backends import Backend, BackendOptions, open_backend
from qvlm_qiskit.backends.decoders.registry import DECODERS
from qvlm_qiskit.backends.service import Allowance
from qvlm_qiskit.cli import common, main
from qvlm_qiskit.errors import (
    BackendError,
    BudgetError,
    InputError,
    JobError,
    JobPending,
    LedgerError,
)
from qvlm_qiskit.jobs import Budget, Recorded, Recording, State, recorded_backend
from qvlm_qiskit.jobs.verify import damaged_results, verify
from tests.jobs.conftest import PATIENCE


class Killed(BaseException):
    """The process dies here: nothing catches it."""


@pytest.fixture
def acme(plugged, tmp_path, monkeypatch):
    """The client of an installed distribution, and an empty data centre behind it."""
    (tmp_path / "cloud").mkdir()
    monkeypatch.setenv("ACME_CLOUD", str(tmp_path / "cloud"))
    return importlib.import_module("acme_qvlm.cloud")


@pytest.fixture
def service(acme):
    return importlib.import_module("acme_qvlm.machine").AcmeJobs


def ask(store, *values, **recording):
    """Ask for rows as a forward pass does; the ledger is all that is kept between two calls."""
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    chosen = Recording(policy=PATIENCE, **recording)
    backend = recorded_backend(open_backend("acme", shots=100), store, chosen)
    pub = (circuit, "Z", np.array(values, dtype=float)[:, None])
    return backend.estimator().run([pub]).result()[0].data.evs


def test_its_rows_are_bought_once(acme, store):
    first = ask(store, 0.1, 0.2)
    assert len(acme.jobs()) == 1
    np.testing.assert_allclose(first, np.cos([0.1, 0.2]), atol=1e-12)
    assert ask(store, 0.2, 0.1).tolist() == first[::-1].tolist()
    assert len(acme.jobs()) == 1
    (job,) = store.find()
    assert (job.machine, job.account, job.decoder) == ("acme", "ours", "acme-1")
    assert (job.seconds_used, job.executions) == (1.5, 200)


@pytest.mark.parametrize("budget", [Budget(executions=150), Budget(seconds=0.001)])
def test_a_budget_refuses_before_anything_is_sent(acme, store, budget):
    with pytest.raises(BudgetError, match="budget of"):
        ask(store, 0.1, 0.2, budget=budget, run="r-1")
    assert not acme.jobs()


@pytest.mark.parametrize("left", [Allowance(0.001), Allowance(limit_reached=True)])
def test_an_allowance_refuses_before_anything_is_sent(acme, service, store, left, monkeypatch):
    monkeypatch.setattr(service, "allowance", lambda self: left)
    with pytest.raises(BudgetError, match="the account"):
        ask(store, 0.1)
    assert not acme.jobs()
    assert [job.state for job in store.find()] == [State.INTENDED]


def test_its_own_limits_cut_jobs_and_nobody_elses(acme, store):
    ask(store, *np.linspace(0, 1, 16))  # 1,600 executions, at most 1,000 in a job
    assert len(acme.jobs()) == 2
    assert sorted(job.executions for job in store.find()) == [600, 1000]


def test_a_process_that_is_killed_while_it_sends_buys_nothing_twice(acme, store, monkeypatch):
    real = acme.send

    def dies(*job):
        raise Killed(real(*job))

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(acme, "send", dies)
        ask(store, 0.1, 0.2)
    assert [job.state for job in store.find()] == [State.POSTING]
    np.testing.assert_allclose(ask(store, 0.1, 0.2), np.cos([0.1, 0.2]), atol=1e-12)
    assert len(acme.jobs()) == len(store.find()) == 1


def test_detached_it_is_left_and_found_again(acme, store):
    held = acme.folder() / "held"
    held.touch()
    with pytest.raises(JobPending, match="acme"):
        ask(store, 0.3, detach=True)
    held.unlink()
    assert ask(store, 0.3) == pytest.approx(np.cos(0.3))
    assert len(acme.jobs()) == 1


def test_its_answers_are_verified_from_disk_alone(acme, store, monkeypatch):
    ask(store, 0.1, 0.2, 0.3)
    monkeypatch.delenv("ACME_CLOUD")
    assert verify(store) == 3


def test_without_its_distribution_the_missing_decoder_is_named(acme, store, monkeypatch):
    ask(store, 0.1)
    monkeypatch.setattr("qvlm_qiskit.basics.registry.entry_points", lambda group: [])
    monkeypatch.delitem(DECODERS._items, "acme-1")
    with pytest.raises(LedgerError, match=r"decoder 'acme-1'.*local-1"):
        verify(store)


def test_a_damaged_result_is_fetched_again_and_bills_are_asked_for(acme, store, capsys):
    ask(store, 0.1, 0.2)
    path = store.blobs.folder / store.find()[0].raw[:2] / f"{store.find()[0].raw}.blob"
    path.write_bytes(b"damaged")
    words = ["--store", str(store.folder)]
    assert main(["jobs", "verify", "--restore", *words]) == 0
    assert "2 rows are what their raw results say" in capsys.readouterr().out
    assert damaged_results(store) == []
    assert main(["jobs", "usage", "--ask", *words]) == 0
    assert "acme: 0 jobs are still without a bill" in capsys.readouterr().err


def test_the_commands_keep_its_jobs_in_the_ledger(acme, service, tmp_path, monkeypatch):
    monkeypatch.setenv("QVLM_STORE", str(tmp_path / "own"))
    with common.through_ledger(open_backend("acme", shots=100)) as kept:
        assert isinstance(kept.device, Recorded)
    monkeypatch.setattr(service, "charges", False)
    free = open_backend("acme", shots=100)
    with common.through_ledger(free) as kept:
        assert kept is free


def test_a_session_that_it_does_not_have_is_refused(acme, store):
    with pytest.raises(JobError, match="acme has no session"):
        ask(store, 0.1, mode="session")
    assert not acme.jobs()


def test_an_option_that_its_service_does_not_take_is_refused(acme, store):
    with pytest.raises(InputError, match=r"service of backend 'acme'.*generation"):
        ask(store, 0.1, service={"generation": "legacy"})


def test_hardware_without_a_service_is_refused(acme):
    backend = open_backend("acme", shots=100)
    with pytest.raises(BackendError, match="'acme' is hardware and says nothing about its jobs"):
        replace(backend, service=None)
    with pytest.raises(BackendError, match="service"):
        Backend("mine", "hardware", 1, BackendOptions(), backend.device)
