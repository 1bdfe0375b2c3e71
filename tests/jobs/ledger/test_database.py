"""Databases of a store: durable on SQLite, and shown without passwords."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger import database
from tests.jobs.conftest import sqlite_or_postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


def test_a_new_store_may_be_opened_by_many_at_once(place):
    barrier, errors = threading.Barrier(8), []

    def first():
        barrier.wait()
        try:
            JobStore(*place).close()
        except LedgerError as ex:
            errors.append(ex)

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_sqlite_is_durable_and_lets_others_wait(tmp_path):
    store = JobStore(tmp_path)
    with store.transaction() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000}
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:{}@127.0.0.1:1/ledger",
        "postgresql+psycopg://me:{}@127.0.0.1:port/ledger",
        "postgresql+psycopg://me:a@{}@127.0.0.1:1/ledger",
        "postgresql+psycopg://127.0.0.1:1/ledger?user=me&password={}",
        "postgresql+psycopg://127.0.0.1:1/ledger?sslpassword={}&connect_timeout=1",
        "postgresql+psycopg://me:{}@127.0.0.1:1/ledger?no_such_option=1",
        "postgresql+nothing://me:{}@127.0.0.1/ledger",
        "mysql+pymysql://me:{}@127.0.0.1/ledger",
        "oracle://me:{}@127.0.0.1/ledger",
        "sqlite://me:{}@host/ledger",
        "what://is:{}@this",
        "://{}",
    ],
)
def test_no_password_is_shown(url, tmp_path):
    with pytest.raises(LedgerError) as caught:
        JobStore(url.format("canary"), tmp_path)
    shown, seen = [str(caught.value), repr(caught.value)], caught.value.__context__
    assert caught.value.__suppress_context__ or seen is None
    assert not [line for line in shown if "canary" in line]


def test_an_open_store_shows_no_password(postgresql_url, tmp_path):
    with_password = postgresql_url.replace("qvlm@", "qvlm:canary@") + "&sslpassword=canary"
    store = JobStore(with_password, tmp_path)
    assert "canary" not in store.place + repr(store)
    with pytest.raises(LedgerError) as caught:
        store.submission("s-none")
    assert "canary" not in str(caught.value)
    outside = create_engine(postgresql_url)
    with outside.begin() as connection:
        connection.execute(text("drop table events"))
    outside.dispose()
    with pytest.raises(LedgerError) as caught:
        store.history("s-1")
    assert "canary" not in str(caught.value) and "events" in str(caught.value)
    store.close()


def test_the_process_that_holds_the_write_lock_is_named(tmp_path, monkeypatch):
    shared, kernel = tmp_path / "ledger.sqlite-shm", tmp_path / "kernel"
    shared.touch()
    inode = shared.stat().st_ino
    (kernel / "9").mkdir(parents=True)
    (kernel / "9" / "cmdline").write_bytes(b"python\0-m\0it\0")
    found = [("READ", 7, inode, 120), ("WRITE", 7, inode + 1, 120), ("WRITE", 7, inode, 121)]
    found.append(("WRITE", 9, inode, 120))
    lines = [f"1: POSIX  ADVISORY  {w} {p} 00:2f:{i} {byte} {byte}" for w, p, i, byte in found]
    (kernel / "locks").write_text("\n".join(lines))

    def there(path):
        return Path(path.replace("/proc", str(kernel), 1) if path.startswith("/proc/") else path)

    monkeypatch.setattr(database, "Path", there)
    assert database.writer_of(str(tmp_path / "ledger.sqlite")) == "process 9 (python -m it)"
    (kernel / "locks").write_text("\n".join(lines[:-1]))
    assert database.writer_of(str(tmp_path / "ledger.sqlite")) == "another process"
