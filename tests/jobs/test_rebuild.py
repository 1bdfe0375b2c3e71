"""A database that is lost or damaged while the files beside it are whole."""

import json

import numpy as np
import pytest

from qvlm_qiskit.cli import main
from qvlm_qiskit.errors import JobPending, LedgerError
from qvlm_qiskit.jobs import JobStore, State
from qvlm_qiskit.jobs.ledger.location import DATABASE
from qvlm_qiskit.jobs.ledger.runs import close_run, list_runs, new_run
from qvlm_qiskit.jobs.rebuild import rebuild
from qvlm_qiskit.jobs.verify import verify
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.unreliable import Unreliable
from tests.parameters import first_by_default

NUMBERS = [0.1, 0.2, 0.3]
# What a service says again is not written beside the blobs.
AGAIN = {State.RUNNING: State.QUEUED}


def used(buy, store, service):
    """Two jobs answered, one accepted, one that may have been sent, and one that was not."""
    run = new_run(store, {"name": "kept"})
    buy(service, NUMBERS[:1], run=run.id)
    buy(service, NUMBERS[1:])
    close_run(store, run, "done", result={"accuracy": 1.0})
    service.final = "running"
    for number, script in ((1.0, []), (2.0, ["500 after accept"])):
        service.script = script
        service.reads = 0
        with pytest.raises(JobPending):
            buy(service, [number], detach=True)
    service.final = "completed"
    return run


def lose(store, damage):
    store.close()
    path = store.folder / DATABASE
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)


@pytest.mark.parametrize("damage", first_by_default(b"no database at all " * 300, b"", None))
def test_a_lost_database_is_noticed_and_made_again(damage, buy, store):
    service = Unreliable()
    run = used(buy, store, service)
    jobs = {one.id: one for one in store.find()}
    answers = {row.key: row.evs for one in jobs for row in store.rows_of(one)}
    lose(store, damage)
    with pytest.raises(LedgerError, match="verify --rebuild"):
        JobStore(store.folder)
    made = rebuild(store.folder)
    assert (made.runs, made.submissions, made.rows, made.unread) == (1, 4, 3, {})
    again = JobStore(store.folder, create=False)
    (found,) = list_runs(again)
    assert (found.id, found.request, found.result) == (run.id, {"name": "kept"}, {"accuracy": 1.0})
    for one in again.find():
        before = jobs[one.id]
        assert (one.tag, one.state, one.server_id, one.raw, one.posts, one.run) == (
            before.tag, AGAIN.get(before.state, before.state), before.server_id, before.raw,
            before.posts, before.run,
        )  # fmt: skip
        for row in again.rows_of(one.id):
            np.testing.assert_array_equal(row.evs, answers[row.key])
    assert verify(again) == 3
    sent = len(service.posts)
    np.testing.assert_allclose(buy(service, [*NUMBERS, 1.0, 2.0], store=again),
                               np.cos([*NUMBERS, 1.0, 2.0]))  # fmt: skip
    assert len(service.posts) == sent == len(service.server.jobs())
    again.close()
    with pytest.raises(LedgerError, match="nothing to rebuild"):
        rebuild(store.folder)


def test_a_new_database_beside_anothers_files_is_refused(postgresql_url, tmp_path, buy, store):
    buy(Unreliable(), [0.1])
    with pytest.raises(LedgerError, match="empty or missing"):
        JobStore(postgresql_url, store.blobs.folder)
    assert rebuild(postgresql_url, store.blobs.folder).rows == 1
    other = JobStore(tmp_path / "other")
    other.close()
    with pytest.raises(LedgerError, match="another ledger"):
        JobStore(other.folder, store.blobs.folder)


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_what_may_be_sent_is_on_record_before_it_is(place, buy, store):
    """A submission that only the service and the record know is found again by its tag."""
    service, seen = Unreliable(), []
    submit = service.submit

    def watched(package, tag, **options):
        seen.extend(r["state"] for r in store.journal.records("s-") if r["tag"] == tag)
        return submit(package, tag, **options)

    service.submit = watched
    buy(service, [0.1])
    assert seen == [State.POSTING]
    (record,) = store.journal.records("s-")
    assert record["state"] == State.STORED and record["raw"] in store.blobs


@pytest.fixture
def place(request, tmp_path):
    if not hasattr(request, "param"):
        return tmp_path / "jobs", None
    return sqlite_or_postgresql(request, tmp_path)


def test_an_older_ledger_gets_its_records_when_it_is_opened(buy, store):
    buy(Unreliable(), [0.1])
    for path in (store.journal.folder / "records").rglob("*.json"):
        path.unlink()
    (store.journal.folder / "ledger.json").unlink()
    store.close()
    JobStore(store.folder).close()
    lose(store, b"")
    assert rebuild(store.folder).rows == 1


def test_a_submission_whose_result_is_lost_is_named_and_the_others_are_rebuilt(buy, store):
    service = Unreliable()
    buy(service, [0.1])
    buy(service, [0.2])
    first = store.find()[0]
    store.blobs._path(first.raw).unlink()
    lose(store, b"")
    made = rebuild(store.folder)
    assert (made.rows, set(made.unread)) == (1, {first.id})
    again = JobStore(store.folder)
    np.testing.assert_allclose(buy(service, [0.1, 0.2], store=again), np.cos([0.1, 0.2]))
    assert len(service.posts) == 2
    again.close()


def test_the_command_rebuilds_and_verifies(buy, store, capfd):
    buy(Unreliable(), [0.1])
    lose(store, b"")
    folder = ("--store", str(store.folder))
    assert main(["jobs", "verify", *folder]) == 2
    assert "verify --rebuild" in capfd.readouterr().err
    assert main(["jobs", "verify", "--rebuild", *folder]) == 0
    out, err = capfd.readouterr()
    assert "1 rows are what their raw results say" in out and "1 submissions" in err
    assert main(["jobs", "list", *folder, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []
