import json

from qvlm_qiskit.jobs import JobStore
from tests.cli.tables import widest


def test_a_narrow_terminal_is_respected(qvlm, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert widest(qvlm("evaluate", "run", "--limit", "5").out) <= 60


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
