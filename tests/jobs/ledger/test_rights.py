"""Who may read a ledger."""

import grp
import os
import stat

import pytest

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.location import DATABASE
from tests.jobs.unreliable import Unreliable

GROUP = grp.getgrgid(os.getgid()).gr_name


def modes(folder):
    """Modes of files and of folders, the ledger's own among them."""
    files, folders = set(), {stat.S_IMODE(folder.stat().st_mode)}
    for path in folder.rglob("*"):
        (folders if path.is_dir() else files).add(stat.S_IMODE(path.stat().st_mode))
    return files, folders


def test_a_ledger_is_its_users_alone(buy, store):
    buy(Unreliable(), [0.1])
    assert modes(store.folder) == ({0o600}, {0o700})


def test_one_that_was_open_to_others_is_closed(buy, store):
    store.close()
    (store.folder / DATABASE).chmod(0o644)
    store.folder.chmod(0o755)
    JobStore(store.folder).close()
    assert modes(store.folder) == ({0o600}, {0o700})


def test_one_that_is_given_to_a_group_stays_the_groups(buy, store):
    buy(Unreliable(), [0.1])
    store.close()
    JobStore(store.folder, group=GROUP).close()
    again = JobStore(store.folder)
    buy(Unreliable(), [0.2], store=again)
    assert modes(store.folder) == ({0o660}, {0o2770})
    again.close()


def test_a_group_that_is_not_there_is_said(tmp_path):
    with pytest.raises(LedgerError, match="no group 'nobody-of-this-name'"):
        JobStore(tmp_path / "jobs", group="nobody-of-this-name")


def test_a_folder_that_holds_something_else_stays_as_it_is(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "notes.txt").chmod(0o644)
    JobStore(tmp_path).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / DATABASE).stat().st_mode) == 0o600
    with pytest.raises(LedgerError, match=r"also holds notes\.txt"):
        JobStore(tmp_path, group=GROUP)
    assert stat.S_IMODE((tmp_path / "notes.txt").stat().st_mode) == 0o644
