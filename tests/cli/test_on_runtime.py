"""The commands against the loopback Runtime service, through the unmodified client."""

import json

import pytest

from qvlm_qiskit.backends.ibm.runtime_jobs import RuntimeJobs
from tests.cli.runtime_machine import MACHINE
from tests.cli.tables import widest


def tags(server):
    return sorted(tag for job in server.jobs for tag in job.tags if tag != "qvlm")


def test_hardware_is_evaluated_through_the_ledger_and_paid_once(qvlm, server):
    options = ("--backend", MACHINE, "--limit", 2, "--shots", 64, "--json")
    first = qvlm("evaluate", "run", *options)
    assert first.status == 0, first.err
    assert "ledger" in first.err
    sent = tags(server)
    assert len(sent) == len(set(sent)) > 0
    second = qvlm("evaluate", "run", *options)
    assert tags(server) == sent
    assert json.loads(second.out)["correct"] == json.loads(first.out)["correct"]


@pytest.mark.slow
def test_a_detached_run_ends_in_the_same_jobs(qvlm, server):
    options = ("--backend", MACHINE, "--limit", 2, "--shots", 64)
    started = qvlm("submit", "run", *options, "--detach", "--json")
    assert started.status == 0, started.err
    run = json.loads(started.out)["id"]
    assert len(tags(server)) > 0
    done = qvlm("jobs", "resume", run, "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["state"] == "done"
    sent = tags(server)
    assert len(sent) == len(set(sent))
    assert qvlm("submit", "run", *options, "--json").status == 0
    assert tags(server) == sent
    exported = qvlm("jobs", "export", run)
    assert exported.status == 0, exported.err


@pytest.mark.slow
def test_the_key_appears_nowhere(qvlm, server, tmp_path, monkeypatch):
    # What the service denied is searched for when it would be listed: a minute later.
    monkeypatch.setitem(RuntimeJobs.__init__.__kwdefaults__, "visible_after_seconds", 0.5)
    key = server.environment()["QISKIT_IBM_TOKEN"]
    done = qvlm("submit", "run", "--backend", MACHINE, "--limit", 1, "--shots", 64)
    assert done.status == 0, done.err
    assert key not in done.out + done.err
    server.faults.add("error_before", value=400)
    failed = qvlm("submit", "run", "--backend", MACHINE, "--limit", 2, "--shots", 65)
    assert failed.status == 2
    assert key not in failed.out + failed.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert all(key.encode() not in path.read_bytes() for path in files)


def test_the_best_machine_is_chosen_for_the_run_and_recorded_by_its_name(qvlm, server):
    options = ("--backend", "ibm:best", "--limit", 2, "--shots", 64)
    found = qvlm("submit", "run", *options, "--dry-run", "--json")
    assert found.status == 0, found.err
    assert json.loads(found.out)["backend"] == MACHINE
    assert "machines for these circuits" in found.err
    assert "chosen" in found.err
    assert widest("\n".join(line for line in found.err.splitlines() if "│" in line)) <= 80
    refused = qvlm("backends", "show", "ibm:best")
    assert (refused.status, len(refused.err.splitlines())) == (2, 1)
