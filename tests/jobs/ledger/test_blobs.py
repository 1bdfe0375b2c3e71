"""Files that are whole or absent, whatever happens while they are written."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.blobs import Blobs, DamagedBlobError

CONTENT = b"raw result " * 500
NAME = hashlib.sha256(CONTENT).hexdigest()
CHILD = """
import os, signal, sys
from pathlib import Path
from qvlm_qiskit.jobs.ledger.blobs import Blobs

fatal, seen, fsync = 0, 0, os.fsync

def step():
    global seen
    seen += 1
    if seen == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

def audit(event, arguments):
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "tempfile.mkstemp"):
        step()

def watched(descriptor):
    step()
    fsync(descriptor)
    step()

os.fsync = watched
sys.addaudithook(audit)
Blobs(Path(sys.argv[1]) / "0").put(b"raw result " * 500)
steps = seen
for number in range(1, steps + 1):
    child = os.fork()
    if child == 0:
        fatal, seen = number, 0
        Blobs(Path(sys.argv[1]) / str(number)).put(b"raw result " * 500)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
print(steps)
"""


def whole_or_absent(folder):
    blobs = Blobs(folder)
    if NAME in blobs:
        assert blobs.get(NAME) == CONTENT
        return True
    with pytest.raises(DamagedBlobError, match="missing"):
        blobs.get(NAME)
    return False


def test_a_process_that_is_killed_leaves_a_whole_blob_or_none(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], check=True, stdout=subprocess.PIPE, text=True
    )
    steps = int(ran.stdout)
    assert steps >= 8 and whole_or_absent(tmp_path / "0")
    outcomes = []
    for number in range(1, steps + 1):
        outcomes.append(whole_or_absent(tmp_path / str(number)))
        assert Blobs(tmp_path / str(number)).put(CONTENT) == NAME
        assert Blobs(tmp_path / str(number)).get(NAME) == CONTENT
    assert outcomes == sorted(outcomes) and set(outcomes) == {False, True}


def test_what_was_put_is_got_and_written_once(tmp_path, monkeypatch):
    blobs = Blobs(tmp_path / "a" / "b")
    names = {content: blobs.put(content) for content in (b"", b"\0" * 10, CONTENT)}
    assert {name: blobs.get(name) for name in names.values()} == {
        name: content for content, name in names.items()
    }
    before = blobs._path(NAME).stat()
    assert blobs.put(CONTENT) == NAME
    assert blobs._path(NAME).stat().st_mtime_ns == before.st_mtime_ns
    assert not list(tmp_path.rglob(".*"))


def test_the_names_of_a_blob_that_was_there_are_flushed_too(tmp_path, monkeypatch):
    """Its writer may have been killed between the rename and the flush of the folder."""
    blobs, flushed = Blobs(tmp_path), []
    blobs.put(CONTENT)
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda fd: (flushed.append(Path(f"/proc/self/fd/{fd}").readlink()), fsync(fd))
    )
    blobs.put(CONTENT)
    assert flushed == [tmp_path / NAME[:2], tmp_path]


@pytest.mark.parametrize("damage", ["flipped", "cut off", "empty", "longer"])
def test_a_damaged_blob_is_never_used_and_kept_aside(damage, tmp_path):
    blobs = Blobs(tmp_path)
    blobs.put(CONTENT)
    bad = {
        "flipped": CONTENT[:100] + bytes([CONTENT[100] ^ 1]) + CONTENT[101:],
        "cut off": CONTENT[:-1],
        "empty": b"",
        "longer": CONTENT + b"\0",
    }[damage]
    path = blobs._path(NAME)
    for number in (1, 2):
        path.write_bytes(bad)
        with pytest.raises(DamagedBlobError, match="damaged"):
            blobs.get(NAME)
        assert NAME not in blobs
        kept = list((tmp_path / "damaged").iterdir())
        assert len(kept) == number and all(file.read_bytes() == bad for file in kept)
    with pytest.raises(DamagedBlobError, match="missing"):
        blobs.get(NAME)
    assert blobs.put(CONTENT) == NAME and blobs.get(NAME) == CONTENT


def test_a_blob_that_is_damaged_in_its_place_is_written_anew(tmp_path):
    blobs = Blobs(tmp_path)
    blobs.put(CONTENT)
    blobs._path(NAME).write_bytes(b"half")
    assert blobs.put(CONTENT) == NAME and blobs.get(NAME) == CONTENT


def test_a_reader_does_not_move_away_what_another_has_mended(tmp_path, monkeypatch):
    blobs = Blobs(tmp_path)
    blobs.put(CONTENT)
    path = blobs._path(NAME)
    path.write_bytes(b"half")
    set_aside = Blobs._set_aside

    def late(self, path):
        Blobs(tmp_path).put(CONTENT)
        return set_aside(self, path)

    monkeypatch.setattr(Blobs, "_set_aside", late)
    assert blobs.get(NAME) == CONTENT
    assert path.read_bytes() == CONTENT


def test_two_readers_of_a_damaged_blob_both_say_so(tmp_path, monkeypatch):
    blobs = Blobs(tmp_path)
    blobs.put(CONTENT)
    blobs._path(NAME).write_bytes(b"half")
    set_aside = Blobs._set_aside

    def second(self, path):
        monkeypatch.setattr(Blobs, "_set_aside", set_aside)
        with pytest.raises(DamagedBlobError):
            blobs.get(NAME)
        return set_aside(self, path)

    monkeypatch.setattr(Blobs, "_set_aside", second)
    with pytest.raises(DamagedBlobError):
        blobs.get(NAME)
    assert [file.read_bytes() for file in (tmp_path / "damaged").iterdir()] == [b"half"]


def refuse(*_, **__):
    raise OSError(30, "Read-only file system")


def test_a_read_only_disk_is_said(tmp_path, monkeypatch):
    blobs = Blobs(tmp_path)
    blobs.put(CONTENT)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(LedgerError, match=r"can't write to .*Read-only file system"):
        blobs.put(b"new")
    blobs._path(NAME).write_bytes(b"half")
    with pytest.raises(DamagedBlobError, match=r"can't be moved away.*Read-only"):
        blobs.get(NAME)
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(LedgerError, match="Read-only"):
        blobs.put(b"newer")
    assert not list(tmp_path.rglob(".*"))
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(LedgerError, match="can't read"):
        blobs.get(NAME)


def test_a_folder_that_can_not_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="can't use"):
        Blobs(tmp_path / "file" / "blobs")


@pytest.mark.parametrize("name", ["", "../../etc/passwd", NAME.upper(), NAME[:-1], NAME + "\n"])
def test_only_checksums_are_names(name, tmp_path):
    blobs = Blobs(tmp_path)
    assert name not in blobs
    with pytest.raises(LedgerError, match="no SHA-256"):
        blobs.get(name)


def test_many_writers_of_one_blob(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(lambda n: Blobs(tmp_path).put(CONTENT + bytes([n % 4])), n)
            for n in range(32)
        ]
        names = {job.result() for job in jobs}
    assert len(names) == 4
    for number in range(4):
        content = CONTENT + bytes([number])
        assert Blobs(tmp_path).get(hashlib.sha256(content).hexdigest()) == content
    assert len(list(tmp_path.rglob("*.blob"))) == 4 and not list(tmp_path.rglob(".*"))
