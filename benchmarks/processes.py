"""Worker processes as the parent sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from timing import thread_environment

HERE = Path(__file__).parent


class WorkerFailedError(Exception):
    """A worker answered with an error, or died; the message says which."""


class Worker:
    """A running ``worker.py``; a context manager that ends it."""

    def __init__(
        self,
        threads: int,
        *,
        peer: str | None = None,
        circuit: str | None = None,
        folder: Path | None = None,
        smoke: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the process; its imports run in the background until :meth:`ready`.

        Args:
            threads: Limit of every library in it.
            peer: Whom it runs; None for a task.
            circuit: What it runs; None for sizes that are asked for later.
            folder: Where it saves arrays.
            smoke: Whether circuits have their smoke sizes.
            environment: Variables of this process alone.
        """
        config = {
            "threads": threads,
            "peer": peer,
            "circuit": circuit,
            "folder": None if folder is None else str(folder),
            "smoke": smoke,
        }
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **thread_environment(threads), **(environment or {})},
        )

    def ready(self) -> None:
        """Wait until everything is imported.

        Raises:
            WorkerFailedError: An import failed.
        """
        self._read()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            WorkerFailedError: It failed.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise WorkerFailedError(self._last_words()) from error
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerFailedError(self._last_words())
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise WorkerFailedError(message["error"])
        return message

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f"ended with {code}: {lines[-1] if lines else 'no message'}"

    def __enter__(self) -> Worker:
        """Return the worker itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process and wait for it."""
        if kind is not None:
            self._process.kill()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()


def run_tasks(
    names: Sequence[str], threads: int, smoke: bool, environment: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """The results of tasks in one process of their own; ``{"failed": reason}`` where one failed."""
    results: dict[str, dict[str, Any]] = {}
    with Worker(threads, smoke=smoke, environment=environment) as worker:
        for name in names:
            try:
                if not results:
                    worker.ready()
                results[name] = worker.ask("task", name=name, smoke=smoke)
            except WorkerFailedError as error:
                results[name] = {"failed": str(error)}
    return results
