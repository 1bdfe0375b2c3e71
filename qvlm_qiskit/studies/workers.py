"""Calls in this process, or in several others, which end when this one does."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from qvlm_qiskit.errors import QVLMError

TERMINATED = 128 + signal.SIGTERM
"""The exit status of what was asked to end, as shells have it."""


class StudyError(QVLMError, RuntimeError):
    """A study that can't go on: cells that are the same or no plain data, or a dead process."""


class Workers:
    """Makes calls; what they raise comes back as it is.

    As a context manager; where it is left by an error or a signal, calls that have not ended are
    given up, since nobody would keep what they return.

    Args:
        processes: How many; of one, calls are made in this process.
    """

    def __init__(self, processes: int) -> None:
        """Make the processes, which begin with the first call."""
        self._pool: ProcessPoolExecutor | None = None
        if processes > 1:
            # forked processes would inherit torch's threads in the middle of their work
            context = multiprocessing.get_context("spawn")
            ends, self._alive = context.Pipe(duplex=False)
            self._pool = ProcessPoolExecutor(
                processes, context, initializer=_begin, initargs=(ends,)
            )

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is None:
            return
        if error[0] is not None:
            self._alive.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._alive.close()

    def run(self, calls: Sequence[tuple[Any, ...]], keep: Callable[[Any, int], None]) -> None:
        """Make every call, and hand each result on as soon as it is there, with their count.

        Args:
            calls: A function and its arguments each.
            keep: Takes a result and how many there are.

        Raises:
            StudyError: A process was killed, or what a call raised can't be sent from it.
            SystemExit: This one was asked to end (SIGTERM) while others worked for it.
        """
        if self._pool is None:
            for count, (function, *arguments) in enumerate(calls, start=1):
                keep(function(*arguments), count)
            return
        with _ending_in_order():
            futures: list[Future[Any]] = [self._pool.submit(_called, *call) for call in calls]
            try:
                for count, future in enumerate(as_completed(futures), start=1):
                    keep(future.result(), count)
            except BrokenProcessPool as error:
                raise StudyError(
                    "a process of the study was killed, perhaps for want of memory; what is "
                    "finished is kept, and the same command goes on"
                ) from error


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    """A call whose error arrives: one that can't be read again would end all processes."""
    try:
        return function(*arguments)
    except Exception as error:
        try:
            ForkingPickler.loads(ForkingPickler.dumps(error))
        except Exception:
            said = " ".join(str(error).split())
            raise StudyError(f"{type(error).__name__}: {said}") from error
        raise


def _begin(ends: Connection) -> None:
    """In a new process: read data once, and end with the process that made this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches the other one, too
    threading.Thread(target=_end_with, args=(ends,), daemon=True).start()
    from qvlm_qiskit.data.registry import read_once_from_now_on

    read_once_from_now_on()


def _end_with(ends: Connection) -> None:
    """Wait for the end of the pipe, whose other side is closed where its process has ended."""
    try:
        ends.recv_bytes()
    except (EOFError, OSError):
        os._exit(TERMINATED)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """SIGTERM becomes an exception, so that processes and their semaphores are put away."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
