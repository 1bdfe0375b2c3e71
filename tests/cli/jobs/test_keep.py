from pathlib import Path

import pytest

from tests.cli.small_runs import MACHINE, STORE


@pytest.mark.slow
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
