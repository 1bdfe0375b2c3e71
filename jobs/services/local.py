"""Devices of this computer as a job service: Aer, fake devices, and our own simulators.

    <spool>/<tag>/package.zip    what is run
    <spool>/<tag>/machine.json   how the backend is opened again (detached jobs only)
    <spool>/<tag>/result         the raw result, written whole or not at all
    <spool>/<tag>/error          one line instead of it
    <spool>/<tag>/process        where and how often it was started, and its process
    <spool>/<tag>/lock           held by that process as long as it lives (detached jobs only)

A job runs inside `submit`, or in a process of its own that outlives the submitter. One that died
without a result is run again: that costs nothing here. Whether it lives is asked of the lock, which
the starter takes and the process inherits: containers that share the folder see it, too. Where the
job was started on another computer, a lock that is not seen proves nothing, and it counts as
running.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2

from qvlm_qiskit.backends.pubs.answer import PubAnswer, plain
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.service import (
    LOCAL,
    JobService,
    NoSuchJobError,
    RefusedError,
    ServerJob,
    encode_local,
)
from qvlm_qiskit.basics.computer.clocks import boot_id
from qvlm_qiskit.basics.files import write_bytes
from qvlm_qiskit.errors import JobError, QVLMError
from qvlm_qiskit.jobs.ledger.ids import checked_id
from qvlm_qiskit.jobs.ledger.rights import rights_of

HERE = "here"
"""The account of jobs of this computer."""
CANCELLED = "cancelled by the user"
STARTS = 3
"""A detached job whose process dies so often without a word is given up."""


class LocalJobs(JobService):
    """Runs packages with an estimator.

    Args:
        estimator: The device's.
        machine: Its name.
        spool: Folder of running and finished jobs.
        reopen: Arguments of `open_backend` (``name`` and options) with which another process
            opens the same device; given, jobs run in a process of their own.
    """

    account = HERE
    decoder = LOCAL
    post_seconds = 0.0
    visible_after_seconds = 0.0
    charges = False

    def __init__(
        self,
        estimator: BaseEstimatorV2,
        machine: str,
        spool: str | Path,
        reopen: Mapping[str, Any] | None = None,
    ) -> None:
        self.estimator = estimator
        self.machine = machine
        self.spool = Path(spool)
        self.reopen = None if reopen is None else dict(reopen)

    def submit(
        self, package: Package, tag: str, *, max_seconds: int, session: str | None = None
    ) -> str:
        """Run the package, or start the process that does.

        Raises:
            RefusedError: The device can't run it.
        """
        folder = self._place(tag)
        rights_of(self.spool.parent).make(self.spool, parents=True)
        rights_of(self.spool).make(folder)
        if self.reopen is None:
            try:
                write(folder / "result", run_package(self.estimator, package))
            except QVLMError as ex:
                raise RefusedError(str(ex)) from ex
            return tag
        write(folder / "package.zip", package.to_bytes())
        write(folder / "machine.json", json.dumps(self.reopen).encode())
        self._start(folder)
        return tag

    def find(self, tag: str) -> Sequence[ServerJob]:
        """The job of that tag, if there is one."""
        folder = self._place(tag)
        known = any((folder / name).exists() for name in ("result", "error", "process"))
        return [self.status(tag)] if known else []

    def status(self, server_id: str) -> ServerJob:
        """What a job is doing; a detached one that died is started again."""
        folder = self._folder(server_id)
        started = _process(folder)
        # First: what a process leaves is there before it ends.
        lives = started is not None and _lives(folder, started)
        if (folder / "result").exists():
            return ServerJob(server_id, "completed")
        if (folder / "error").exists():
            why = (folder / "error").read_text(encoding="utf-8")
            return ServerJob(server_id, "cancelled" if why == CANCELLED else "failed", why)
        if started is None:
            raise NoSuchJobError(f"no local job {server_id}")
        if lives:
            return ServerJob(server_id, "running")
        if started["starts"] >= STARTS:
            return ServerJob(server_id, "failed", "its process ended without a result")
        self._start(folder)
        return ServerJob(server_id, "running")

    def fetch(self, server_id: str) -> bytes:
        """The raw result."""
        try:
            return (self._folder(server_id) / "result").read_bytes()
        except FileNotFoundError:
            raise NoSuchJobError(f"local job {server_id} has no result") from None

    def cancel(self, server_id: str) -> None:
        """Stop a detached job's process."""
        folder = self._folder(server_id)
        started = _process(folder)
        if (folder / "result").exists() or started is None:
            return
        write(folder / "error", CANCELLED.encode())
        # One that has no id yet, or is another computer's, looks for the error before it answers.
        if started.get("boot", boot_id()) == boot_id() and _alive(started):
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(started["id"], 15)

    def _place(self, name: str) -> Path:
        return self.spool / checked_id("local job", name)

    def _folder(self, server_id: str) -> Path:
        folder = self._place(server_id)
        if not folder.is_dir():
            raise NoSuchJobError(f"no local job {server_id}")
        return folder

    def _start(self, folder: Path) -> None:
        """Start the process of a job, unless it runs or has ended."""
        with _locked(folder) as lock:
            if lock is None or any((folder / name).exists() for name in ("result", "error")):
                return
            before = _process(folder) or {"starts": 0}
            about = {
                "starts": before["starts"] + 1,
                "host": socket.gethostname(),
                "boot": boot_id(),
            }
            # Before the process is there: whoever finds it knows that it may be.
            write(folder / "process", json.dumps(about).encode())
            process = _spawn(folder, lock)
            about |= {"id": process, "began": _began(process)}
            write(folder / "process", json.dumps(about).encode())


def _spawn(folder: Path, lock: int) -> int:
    """Start the process of a job, which holds the lock until it ends; its id."""
    arguments = [sys.executable, "-m", "qvlm_qiskit.jobs.services.local_process", str(folder)]
    rights_of(folder).touch(folder / "log")
    # Not a Popen: nobody here waits for it, and it outlives this process.
    with (folder / "log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
        return os.posix_spawn(
            sys.executable,
            arguments,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                # A number of its own: a copy stays open in the process, the original does not.
                (os.POSIX_SPAWN_DUP2, lock, 3 if lock != 3 else 4),
            ],
            setsid=True,
        )


def run_package(estimator: BaseEstimatorV2, package: Package) -> bytes:
    """Run a package's pubs and return the raw result."""
    result = estimator.run(list(package.pubs)).result()
    answers = [
        PubAnswer(
            np.asarray(answer.data.evs, dtype=np.float64),
            np.asarray(answer.data.stds, dtype=np.float64),
            plain(answer.metadata),
        )
        for answer in result
    ]
    return encode_local(answers)


def write(path: Path, content: bytes) -> None:
    """Write a file of a job whole or not at all."""
    write_bytes(path, content, mode=rights_of(path.parent).file)


def _process(folder: Path) -> dict[str, Any] | None:
    try:
        started: dict[str, Any] = json.loads((folder / "process").read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as ex:
        raise JobError(f"{folder / 'process'} is damaged: {ex}") from ex
    return started


@contextmanager
def _locked(folder: Path) -> Iterator[int | None]:
    """Hold a job's lock, and give its descriptor; None where a process has it.

    Raises:
        JobError: The file system has no locks.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, rights_of(folder).file)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        except OSError as ex:
            raise JobError(f"{folder} can't be locked, so no job can run there: {ex}") from ex
        yield descriptor
    finally:
        os.close(descriptor)


def _lives(folder: Path, started: Mapping[str, Any]) -> bool:
    """Whether a job's process may still be at work."""
    if not (folder / "lock").exists():
        return _alive(started)  # started by a release without locks
    with _locked(folder) as lock:
        if lock is None:
            return True
    # After a new start of this computer nothing of it runs; another computer's lock can be unseen.
    return started.get("boot") != boot_id() and started.get("host") != socket.gethostname()


def _alive(started: Mapping[str, Any]) -> bool:
    """Whether a process of this computer lives; ids are used again, so its start counts, too."""
    if "id" not in started:
        return False
    began = _began(started["id"])
    return began is not None and began == started["began"]


def _began(process: int) -> str | None:
    """When a process began, in the kernel's ticks; None when it is gone or a zombie."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]
