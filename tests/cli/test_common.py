import json

from qvlm_qiskit.cli.common import print_table
from qvlm_qiskit.jobs import JobStore
from tests.cli.tables import widest


def test_a_narrow_terminal_is_respected(qvlm, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert widest(qvlm("evaluate", "run", "--limit", "5").out) <= 60


def test_what_alone_is_wider_than_the_terminal_is_broken_and_not_cut_off(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    words = [f"word{number}" for number in range(12)]
    print_table("title", ("first", "second", ">number"), [[" ".join(words), "two", "3" * 9]])
    out = capsys.readouterr().out
    assert widest(out) <= 40
    assert all(word in out for word in [*words, "two", "3" * 9])


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
