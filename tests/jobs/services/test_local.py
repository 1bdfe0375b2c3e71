"""Detached jobs of this computer: one process each, whoever looks at it from wherever."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.errors import JobError
from qvlm_qiskit.jobs.recording import reopening
from qvlm_qiskit.jobs.services import local
from qvlm_qiskit.jobs.services.decode import decode
from qvlm_qiskit.jobs.services.local import LocalJobs

TAG = "qvlm-tag"
NOBODY = 2**22 + 1
"""An id beyond those that Linux gives."""


def package():
    circuit = QuantumCircuit(1)
    circuit.ry(0.5, 0)
    return Package((EstimatorPub.coerce((circuit, "Z")),), {"name": "statevector"})


@pytest.fixture
def jobs(tmp_path):
    backend = open_backend("statevector")
    yield LocalJobs(backend.device, backend.name, tmp_path, reopening(backend))
    for about in tmp_path.glob("*/process"):
        process = json.loads(about.read_bytes())
        if local._alive(process):
            with suppress(ProcessLookupError):
                os.kill(process["id"], signal.SIGKILL)


def submit(jobs):
    jobs.submit(package(), TAG, max_seconds=60)
    return jobs.spool / TAG


def started(folder):
    return json.loads((folder / "process").read_bytes())


def completed(jobs):
    deadline = time.monotonic() + 60
    while jobs.status(TAG).status == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert jobs.status(TAG).status == "completed", jobs.status(TAG)
    (answer,) = decode(jobs.decoder, jobs.fetch(TAG), package())
    np.testing.assert_allclose(answer.evs, np.cos(0.5))


def record(jobs, **about):
    """A job whose process is known by its record alone."""
    folder = jobs.spool / TAG
    folder.mkdir()
    (folder / "lock").touch()
    (folder / "process").write_text(json.dumps({"id": NOBODY, "began": "0", "starts": 1, **about}))
    return folder


@pytest.fixture
def spawned(monkeypatch):
    """Counts starts, and starts nothing."""
    folders = []

    def spawn(folder, lock):
        folders.append(folder)
        return NOBODY

    monkeypatch.setattr(local, "_spawn", spawn)
    return folders


@pytest.mark.slow
def test_a_process_holds_the_lock_of_its_folder_until_it_ends(jobs):
    folder = submit(jobs)
    with (folder / "lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        completed(jobs)
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for the end of the process at most
    assert started(folder)["starts"] == 1


@pytest.mark.slow
def test_a_process_of_another_namespace_lives_though_its_id_means_nothing_here(jobs, monkeypatch):
    folder = submit(jobs)
    monkeypatch.setattr(local, "_began", lambda _: None)
    assert jobs.status(TAG).status == "running"
    completed(jobs)
    assert started(folder)["starts"] == 1


@pytest.mark.slow
def test_a_job_is_started_once_however_often_it_is_submitted(jobs):
    folder = submit(jobs)
    first = started(folder)
    submit(jobs)
    assert started(folder) == first
    completed(jobs)
    submit(jobs)
    assert started(folder) == first


@pytest.mark.slow
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_whose_starter_is_killed_runs_once(writes, jobs, monkeypatch):
    """Before the record, between the record and the process, and behind the process."""
    write, spawn = local.write, local._spawn
    spawned = []

    def or_die(path, content):
        if path.name == "process" and writes == 2 * len(spawned):
            raise KeyboardInterrupt
        write(path, content)

    def and_count(folder, lock):
        if writes == 1:
            raise KeyboardInterrupt
        spawned.append(folder)
        return spawn(folder, lock)

    with monkeypatch.context() as patched:
        patched.setattr(local, "write", or_die)
        patched.setattr(local, "_spawn", and_count)
        with pytest.raises(KeyboardInterrupt):
            submit(jobs)
    monkeypatch.setattr(local, "_spawn", lambda *args: spawned.append(args[0]) or spawn(*args))
    if writes == 0:
        assert jobs.find(TAG) == []  # surely not started: it may be sent again
        submit(jobs)
    else:
        assert [job.status for job in jobs.find(TAG)] == ["running"]
    completed(jobs)
    assert len(spawned) == 1


@pytest.mark.parametrize(("name", "status"), [("result", "completed"), ("error", "failed")])
@pytest.mark.parametrize("starts", [1, local.STARTS])
def test_a_process_that_ends_between_two_looks_has_ended(
    name, status, starts, jobs, spawned, monkeypatch
):
    folder = record(jobs, starts=starts)

    def ends(*_):
        (folder / name).write_text("it")
        return False

    monkeypatch.setattr(local, "_lives", ends)
    assert jobs.status(TAG).status == status
    assert spawned == []


def test_on_another_computer_what_can_not_be_seen_counts_as_running(jobs, spawned):
    record(jobs, host="elsewhere", boot="another")
    for _ in range(2 * local.STARTS):
        assert jobs.status(TAG).status == "running"
    assert spawned == []


def test_after_a_new_start_of_this_computer_a_job_is_started_again(jobs, spawned):
    record(jobs, host=local.socket.gethostname(), boot="another")
    assert jobs.status(TAG).status == "running"
    assert len(spawned) == 1
    assert started(spawned[0])["starts"] == 2


def test_a_job_whose_process_always_dies_is_given_up(jobs, spawned):
    record(jobs, boot=local.boot_id())
    while (found := jobs.status(TAG)).status == "running":
        assert len(spawned) < local.STARTS
    assert (found.status, len(spawned)) == ("failed", local.STARTS - 1)


def test_a_job_of_a_release_without_locks_is_known_by_its_process(jobs, spawned, monkeypatch):
    folder = record(jobs)
    (folder / "lock").unlink()
    monkeypatch.setattr(local, "_began", lambda _: "0")
    assert jobs.status(TAG).status == "running"
    assert spawned == []
    monkeypatch.setattr(local, "_began", lambda _: "1")  # the id is another process's now
    assert jobs.status(TAG).status == "running"
    assert spawned == [folder]


def test_cancel_stops_the_process_and_one_that_has_just_ended_is_no_error(jobs, monkeypatch):
    folder = submit(jobs)

    def ended(process, _):
        assert process == started(folder)["id"]
        raise ProcessLookupError

    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", ended)
        jobs.cancel(TAG)
    assert jobs.status(TAG).status == "cancelled"
    jobs.cancel(TAG)
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert not (folder / "result").exists()
    assert jobs.status(TAG).status == "cancelled"


def test_a_folder_without_locks_is_said(jobs, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(local.fcntl, "flock", refuse)
    with pytest.raises(JobError, match="can't be locked"):
        submit(jobs)


def test_a_process_is_known_by_its_start_until_it_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    ticks = os.sysconf("SC_CLK_TCK")
    assert int(local._began(os.getpid())) < int(local._began(child.pid)) <= (uptime + 1) * ticks
    assert local._alive({"id": child.pid, "began": local._began(child.pid)})
    assert not local._alive({"id": child.pid, "began": local._began(os.getpid())})
    assert not local._alive({})
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert local._began(child.pid) is None  # a zombie
    child.wait()
    assert local._began(child.pid) is None
