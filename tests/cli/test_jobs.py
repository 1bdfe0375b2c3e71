"""``qvlm submit`` and ``qvlm jobs``: from a plan to kept results, over several processes."""

import hashlib
import io
import json
import os
import re
import signal
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from qvlm_qiskit.cli.follow import Board
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.runs import list_runs

MACHINE = ("--backend", "noisy:fake_manila", "--shots", "100", "--limit", "2", "--seed", "1")
STORE = ("--store", "ledger")


@pytest.fixture
def ledger(place):
    """Opens the ledger of the commands; what still runs in the end is stopped."""
    opened = []

    def read():
        opened.append(JobStore(place / "ledger", create=False))
        return opened[-1]

    yield read
    for store in opened:
        store.close()
    for number in local_processes(place):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def local_processes(place):
    """Ids of the processes of detached jobs."""
    records = (place / "ledger" / "local").glob("*/process")
    return [json.loads(record.read_bytes())["id"] for record in records]


def texts(result):
    return [one["answer"] for one in result["questions"]]


def test_a_run_from_its_plan_to_its_export(qvlm, ledger):
    submitted = qvlm("submit", "run", *MACHINE, *STORE, "--json")
    assert submitted.status == 0, submitted.err
    run = json.loads(submitted.out)
    assert (run["state"], run["result"]["total"]) == ("done", 2)
    assert f"run {run['id']} in ledger" in submitted.err
    jobs = ledger().count_jobs()

    again = qvlm("submit", "run", *MACHINE, *STORE)
    assert ledger().count_jobs() == jobs
    text = " ".join(again.out.split())
    assert "2q gates" in text  # the preflight
    for part in ("without (chosen)", "waits", "all questions", "rows were in the ledger already"):
        assert part in text, part
    assert max(len(line) for line in again.out.splitlines() if line[:1] in "┃│") <= 80

    listed = json.loads(qvlm("jobs", "list", *STORE, "--json").out)
    assert [entry["state"] for entry in listed] == ["done", "done"]
    assert [entry["jobs"] for entry in listed] == [jobs, 0]
    assert listed[0]["accuracy"] == run["result"]["accuracy"]

    second = listed[1]["id"]
    shown = json.loads(qvlm("jobs", "show", second, *STORE, "--json").out)
    assert len(shown["submissions"]) == jobs  # of the first run, which paid
    for job in shown["submissions"]:
        assert job["state"] == "answered"
        assert [e["state"] for e in job["history"]][-1] == "answered"
    assert json.loads(qvlm("jobs", "show", "last", *STORE, "--json").out) == shown
    results = json.loads(qvlm("jobs", "results", run["id"][:8], *STORE, "--json").out)
    assert texts(results) == texts(run["result"]) == texts(shown["result"])
    rows = f"{ledger().count_rows():,} rows are what their raw results say\n"
    assert qvlm("jobs", "verify", *STORE).out == qvlm("jobs", "verify", "last", *STORE).out == rows

    usage = json.loads(qvlm("jobs", "usage", *STORE, "--json").out)
    assert [(part["run"], part["jobs"]) for part in usage["usage"]] == [(run["id"], jobs)]
    assert usage["saved"][run["id"]]["rows_saved"] == 0
    assert usage["saved"][second]["rows_saved"] == usage["usage"][0]["rows"]

    assert qvlm("jobs", "export", second, *STORE, "--out", "kept.zip").status == 0
    with zipfile.ZipFile("kept.zip") as archive:
        lines = archive.read(f"{second}/SHA256SUMS").decode().splitlines()
        assert len(lines) == len(archive.namelist()) - 1 == 3 + 2 * jobs
        for line in lines:
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(f"{second}/{name}")).hexdigest() == digest

    for words in (("list",), ("show", second), ("usage",), ("results", second)):
        found = qvlm("jobs", *words, *STORE)
        assert (found.status, found.err) == (0, "")
        assert max(map(len, found.out.splitlines())) <= 80, words


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


def test_a_process_whose_run_is_cancelled_ends_with_one_line(qvlm, ledger, monkeypatch):
    """Another terminal cancels while it looks at its jobs."""
    from qvlm_qiskit.inference import cancel_evaluation

    update, before = Board.update, []

    def and_cancel(self, waiting):
        update(self, waiting)
        if not before and all(job.state.final for job in waiting):
            before.append(ledger().count_jobs())
            cancel_evaluation(ledger(), self.run.id)

    monkeypatch.setattr(Board, "update", and_cancel)
    found = qvlm("submit", "run", *MACHINE, *STORE)
    (run,) = list_runs(ledger())
    assert (found.status, run.state) == (2, "cancelled")
    said = f"run {run.id} was cancelled: nothing more is sent for it (qvlm jobs retry {run.id}"
    assert said in found.err.splitlines()[-1]
    assert ledger().count_jobs() == before[0]


def test_a_terminal_shows_bars_of_jobs_and_rows(qvlm, ledger):
    assert qvlm("submit", "run", *MACHINE, *STORE, "--detach").status == 0
    (run,) = list_runs(ledger())

    def shown():
        console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
        console.print(Board(console, ledger(), run))
        text = console.file.getvalue()
        assert max(map(len, text.splitlines())) <= 80
        return re.findall(r"^(jobs|rows) .* (\d+)/(\d+) *$", text, re.MULTILINE)

    planned = run.request["expected"]
    (_, *jobs), (_, answered, rows) = shown()
    assert jobs == ["0", str(planned["jobs"])]
    assert (answered, rows) == ("0", str(planned["rows"]))
    assert qvlm("jobs", "resume", "last", *STORE).status == 0
    (_, done, known), (_, answered, rows) = shown()
    assert done == known
    assert answered == rows == str(ledger().count_rows())


@pytest.mark.parametrize("terminal", [True, False])
def test_who_waits_is_told_why(terminal, qvlm, ledger, capfd):
    assert qvlm("submit", "run", *MACHINE, *STORE, "--detach").status == 0
    store = ledger()
    (run,) = list_runs(store)
    job = next(s for s in store.find() if not s.state.final)
    store.note(job.id, "no answer: GET …/usage: no connection")
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    board = Board(console, store, run)
    board.update([])
    board.update([])
    console.print(board)
    shown = console.file.getvalue() if terminal else capfd.readouterr().err
    assert shown.count("no answer: GET …/usage: no connection") == 1
    assert qvlm("jobs", "cancel", "last", *STORE).status == 0


def test_a_damaged_raw_result_is_found_and_fetched_again(qvlm, ledger):
    assert qvlm("submit", "run", *MACHINE, *STORE).status == 0
    store = ledger()
    job = store.find()[0]
    path = Path(store.blobs.folder) / job.raw[:2] / f"{job.raw}.blob"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    found = qvlm("jobs", "verify", *STORE)
    assert found.status == 2
    assert "qvlm jobs verify --restore" in found.err and job.id in found.err
    restored = qvlm("jobs", "verify", "--restore", *STORE)
    assert (restored.status, path.read_bytes()) == (0, whole)
    assert f"the raw result of {job.id} was fetched from {job.machine} again" in restored.err
    assert store.history(job.id)[-1].note == "its damaged raw result was fetched again"
    spool = next(Path("ledger", "local").glob(f"{job.server_id}/result"))
    path.unlink()
    spool.write_bytes(b"other bytes")
    refused = qvlm("jobs", "verify", "--restore", *STORE)
    assert refused.status == 2
    assert "another SHA-256" in refused.err
    assert not path.exists()


def test_a_dry_run_says_what_it_would_cost_and_sends_nothing(qvlm, ledger):
    found = qvlm("submit", "run", *MACHINE, *STORE, "--prefetch", "--dry-run", "--json")
    plan = json.loads(found.out)
    assert (plan["prefetch"], plan["with_prefetch"]["jobs"], plan["waits"]["with"]) == (True, 2, 1)
    assert plan["without_prefetch"]["jobs"] == plan["waits"]["without"] > 2
    assert plan["with_prefetch"]["executions"] == 100 * plan["with_prefetch"]["rows"]
    assert (ledger().count_jobs(), list_runs(ledger())) == (0, [])


def test_a_budget_is_one_line_and_nothing_is_sent(qvlm, ledger):
    found = qvlm("submit", "run", *MACHINE, *STORE, "--budget-executions", "10", "--json")
    assert (found.status, found.out) == (2, "")
    progress, line = found.err.splitlines()
    assert "rehearsal" in progress
    assert line.startswith("qvlm: the run needs about ")
    assert line.endswith("nothing was sent")
    assert (ledger().count_jobs(), list_runs(ledger())) == (0, [])


def test_the_default_ledger_is_the_users(qvlm, place, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "data"))
    missing = qvlm("jobs", "list")
    assert missing.status == 2
    assert missing.err == (
        f"qvlm: there is no ledger at {place}/data/qvlm/jobs: qvlm submit makes one\n"
    )
    JobStore(place / "data" / "qvlm" / "jobs").close()
    assert json.loads(qvlm("jobs", "list", "--json").out) == []
    JobStore(place / "mine").close()
    monkeypatch.setenv("QVLM_STORE", "mine")
    assert "runs in mine" in qvlm("jobs", "list").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("submit run", ["--backend"]),
        ("submit missing --backend aer", ["no run folder at missing"]),
        ("submit run --backend aerr", ["unknown backend 'aerr'", "did you mean 'aer'"]),
        ("submit run --backend aer --mode batches", ["'batches'", "did you mean 'batch'"]),
        ("submit run --backend aer --limit 0", ["at least 1 question"]),
        ("submit run --backend aer --budget-seconds 0", ["must be above 0"]),
        ("submit run --backend noisy:fake_manila --mitigation magic", ["magic"]),
        ("submit run --backend ibm:any --store x", ["account"]),
        ("jobs", ["Missing command"]),
        ("jobs nonsense", ["No such command 'nonsense'", "watch", "export"]),
        ("jobs list --store missing", ["no ledger at missing"]),
        ("jobs show", ["ID"]),
        ("jobs show r-1 --store empty", ["has no run 'r-1'"]),
        ("jobs resume r-1 --store empty", ["has no run 'r-1'"]),
        ("jobs resume last --store empty", ["has no run 'last'"]),
        ("jobs cancel r-1 --store empty", ["has no run 'r-1'"]),
        ("jobs retry r-1 --store empty", ["has no run 'r-1'"]),
        ("jobs verify r-1 --store empty", ["has no run 'r-1'"]),
        ("jobs export r-1 --store empty --out new", ["has no run 'r-1'"]),
        ("jobs watch r-1 --store empty --interval 0", ["poll_seconds is 0"]),
        ("jobs list --store sqlite:///x.db", ["needs a folder for its files"]),
        ("jobs list --store oracle://u:geheim@h/x --blobs b", ["can't use oracle://"]),
    ],
)
def test_what_cannot_be_meant_is_refused(qvlm, place, monkeypatch, words, says):
    for name in [name for name in os.environ if name.startswith("QISKIT_IBM")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(place))
    JobStore(place / "empty").close()
    found = qvlm(*words.split())
    assert (found.status, found.out) == (2, ""), found
    assert found.err.count("\n") == 1, found.err
    assert all(part in found.err for part in says), found.err
    assert "geheim" not in found.err


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_nothing_is_lost(begin, process, place, ledger):
    words = ("submit", "run", "--backend", "noisy:fake_manila", "--limit", "40", *STORE)
    submitting = begin(*words)
    deadline = time.monotonic() + 90
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
