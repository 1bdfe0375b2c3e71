"""Ledgers that can only be looked at, and ones that somebody else is writing to."""

import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import update

from qvlm_qiskit.cli import main
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger import database, schema, unwritable
from qvlm_qiskit.jobs.ledger.location import DATABASE
from qvlm_qiskit.jobs.ledger.runs import close_run, list_runs, new_run
from qvlm_qiskit.jobs.verify import verify
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.test_schema import FROZEN
from tests.jobs.unreliable import Unreliable


@pytest.fixture
def place(request, tmp_path):
    if not hasattr(request, "param"):
        return tmp_path / "jobs", None
    return sqlite_or_postgresql(request, tmp_path)


def frozen(folder, monkeypatch):
    """Take the rights to write away; the superuser, who has them all, is told so."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    real = os.access
    monkeypatch.setattr(
        unwritable.os, "access", lambda path, mode: mode != os.W_OK and real(path, mode)
    )


def state_of(folder):
    """The index of a journal apart, which the superuser's SQLite writes."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.endswith("-shm"))
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize("left", ["nothing", "a journal", "a journal and its index"])
def test_a_read_only_ledger_is_listed_shown_and_verified(left, buy, store, tmp_path, monkeypatch):
    run = new_run(store, {"run": "r", "backend": {"name": "x"}, "options": {"limit": 1}})
    buy(Unreliable(), [0.1, 0.2], run=run.id)
    place = tmp_path / "copy"
    if left == "nothing":
        store.close()
    shutil.copytree(store.folder, place)
    if left == "a journal":
        (place / f"{DATABASE}-shm").unlink()
    frozen(place, monkeypatch)
    before = state_of(place)
    kept = JobStore(place, create=False)
    assert kept.read_only
    assert [r.id for r in list_runs(kept)] == [run.id]
    assert len(kept.history(kept.find()[0].id)) > 3
    assert verify(kept) == 2
    with pytest.raises(LedgerError, match="can't be written to"):
        new_run(kept, {})
    kept.close()
    for words in ("list", f"show {run.id}", "verify", "usage"):
        assert main(["jobs", *words.split(), "--store", str(place)]) == 0
    assert state_of(place) == before


def test_a_read_only_ledger_of_an_older_version_is_read_from_a_copy(tmp_path, monkeypatch):
    place = shutil.copytree(FROZEN, tmp_path / "store")
    frozen(place, monkeypatch)
    before = state_of(place)
    kept = JobStore(place, create=False)
    assert verify(kept) == 4 and list_runs(kept) == []
    kept.close()
    assert state_of(place) == before


@pytest.mark.parametrize("content", [b"", b"no database " * 500])
def test_a_read_only_file_that_is_no_ledger_is_said(content, tmp_path, monkeypatch):
    (tmp_path / "blobs").mkdir()
    (tmp_path / DATABASE).write_bytes(content)
    frozen(tmp_path, monkeypatch)
    with pytest.raises(LedgerError):
        list_runs(JobStore(tmp_path, create=False))


def test_reading_does_not_wait_for_who_writes(store, buy):
    buy(Unreliable(), [0.1])
    with closing(sqlite3.connect(store.folder / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert verify(store) == 1
        assert list_runs(JobStore(store.folder, create=False)) == []
        other.execute("ROLLBACK")


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_who_waits_says_for_what(store, monkeypatch):
    """Here the other process is another connection of this one."""
    run, said, lines = new_run(store, {}), threading.Event(), []
    monkeypatch.setattr(database, "SAID_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(
        database.logger, "warning", lambda form, *words: (lines.append(form % words), said.set())
    )
    address = store.engine.url.render_as_string(hide_password=False)
    postgresql = address.startswith("postgresql")
    other = JobStore(address if postgresql else store.folder, store.blobs.folder)
    with store.transaction() as connection:
        connection.execute(update(schema.runs).values(error="x"))
        thread = threading.Thread(target=close_run, args=(other, run, "failed"))
        thread.start()
        assert said.wait(30)
        time.sleep(0.2)
    thread.join()
    other.close()
    (line,) = lines
    assert line.startswith("waiting for the ledger")
    assert "process" in line


def test_who_waits_too_long_is_refused(store, monkeypatch):
    store.close()
    monkeypatch.setattr(database, "SAID_AFTER_SECONDS", 0.02)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    again = JobStore(store.folder)
    with closing(sqlite3.connect(store.folder / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="is busy"):
            new_run(again, {})
        other.execute("ROLLBACK")
    assert new_run(again, {}).state == "waiting"
    again.close()
