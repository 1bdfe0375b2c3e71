"""Opening a ledger."""

import pytest

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import JobStore


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite").write_text("Dear diary,\n" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        JobStore(tmp_path)
    assert (tmp_path / "ledger.sqlite").read_text().startswith("Dear diary")


def test_a_folder_without_a_ledger_is_only_taken_where_one_may_be_made(tmp_path):
    with pytest.raises(LedgerError, match="no ledger"):
        JobStore(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="can't use"):
        JobStore(tmp_path / "file")


def test_a_url_needs_a_folder_for_files(tmp_path):
    with pytest.raises(LedgerError, match="blobs="):
        JobStore("postgresql+psycopg://me:canary@127.0.0.1/ledger")
