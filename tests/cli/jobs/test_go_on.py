"""``qvlm jobs resume|cancel|retry``, over several processes."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from qvlm_qiskit.jobs.ledger.runs import list_runs
from tests.cli.small_runs import MACHINE, STORE, local_processes, texts


@pytest.mark.slow
def test_a_killed_detached_job_is_finished_by_another_process_with_the_same_answers(
    qvlm, place, ledger, process
):
    detached = qvlm("submit", "run", *MACHINE, *STORE, "--detach")
    assert detached.status == 0, detached.err
    (run,) = list_runs(ledger())
    assert run.state == "waiting"
    assert f"qvlm jobs watch {run.id}" in detached.out
    for number in local_processes(place):
        os.kill(number, signal.SIGKILL)
    # another process, with other vector instructions and threads: the same rows nevertheless
    process.environment |= {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "2"}
    resumed = process("jobs", "resume", run.id, *STORE, "--json")
    assert resumed.status == 0, resumed.err
    found = json.loads(resumed.out)
    assert found["state"] == "done"
    jobs = ledger().find()
    assert [job.posts for job in jobs] == [1] * len(jobs)
    rows = ledger().count_rows()
    attached = qvlm("submit", "run", *MACHINE, *STORE, "--json")
    assert texts(json.loads(attached.out)["result"]) == texts(found["result"])
    assert (ledger().count_jobs(), ledger().count_rows()) == (len(jobs), rows)


@pytest.mark.slow
def test_cancel_refuses_to_go_on_and_retry_does(qvlm, ledger):
    qvlm("submit", "run", *MACHINE, *STORE, "--detach")
    (run,) = list_runs(ledger())
    assert qvlm("jobs", "cancel", run.id, *STORE).out == f"run {run.id} is cancelled\n"
    refused = qvlm("jobs", "resume", run.id, *STORE)
    assert (refused.status, refused.out) == (2, "")
    assert f"is cancelled: cancelled by the user (qvlm jobs retry {run.id}" in refused.err
    pending = qvlm("jobs", "results", run.id, *STORE)
    assert (pending.status, pending.err.count("\n")) == (2, 1)
    again = qvlm("jobs", "retry", run.id, *STORE, "--json")
    assert json.loads(again.out)["state"] == "done"
    assert "attempt 2" in qvlm("jobs", "show", run.id, *STORE).out


@pytest.mark.slow
def test_cancel_says_which_jobs_run_on_and_for_whom(qvlm, ledger):
    for _ in range(2):
        qvlm("submit", "run", *MACHINE, *STORE, "--detach")
    first, second = list_runs(ledger())
    (job,) = ledger().find()
    stopped = qvlm("jobs", "cancel", first.id, *STORE)
    assert stopped.out.splitlines() == [
        f"job {job.id} runs on: {second.id} waits for it, too",
        f"run {first.id} is cancelled",
    ]
    assert qvlm("jobs", "cancel", second.id, *STORE).out == f"run {second.id} is cancelled\n"
    assert str(ledger().submission(job.id).state) == "cancelled"


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_nothing_is_lost(begin, process, place, ledger):
    words = ("submit", "run", "--backend", "noisy:fake_manila", "--limit", "12", *STORE)
    submitting = begin(*words)
    deadline = time.monotonic() + 600
    while not list(Path(place / "ledger").glob("local/*/result")) and time.monotonic() < deadline:
        time.sleep(0.05)
    submitting.send_signal(signal.SIGINT)
    _, err = submitting.communicate(timeout=60)
    assert submitting.returncode == 130
    (run,) = list_runs(ledger())
    assert f"qvlm: nothing is lost; go on with: qvlm jobs resume {run.id} --store ledger" in err
    bought = ledger().count_rows()
    resumed = process("jobs", "resume", run.id, *STORE, "--json")
    assert resumed.status == 0, resumed.err
    costs = json.loads(resumed.out)["result"]["costs"]
    assert costs["rows"] == ledger().count_rows() >= bought > 0
