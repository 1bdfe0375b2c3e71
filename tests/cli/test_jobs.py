"""The promise of ``qvlm submit`` and ``qvlm jobs`` together: from a plan to kept results.

No single module keeps it, so these tests stand alone.
"""

import hashlib
import json
import os
import zipfile

import pytest

from qvlm_qiskit.jobs import JobStore
from tests.cli.small_runs import MACHINE, STORE, texts


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
        ("jobs list --store oracle://u:geheim@h/x --blobs b", ["SQLite or PostgreSQL, not oracle"]),
        ("jobs list --store mysql://u:geheim@h/x", ["SQLite or PostgreSQL, not mysql"]),
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
