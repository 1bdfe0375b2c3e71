"""The rows as the parent sees them: every one in a process of its own, except in smoke mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from processes import Worker, WorkerFailedError

from circuits.contenders import NAMES

Table = dict[str, Any]


def tables(
    rows: Sequence[str], threads: int, peers: Sequence[str], rounds: int, log: Callable[[str], None]
) -> Iterator[Table]:
    """Tables in the form of :func:`comparison.compare`; one that failed says why.

    Args:
        rows: Names of rows; others than those of circuits are passed over.
        threads: Of every process.
        peers: Who takes part beside ours.
        rounds: Turns that everybody gets.
        log: Where progress goes.
    """
    chosen = [row for row in NAMES if row in rows]
    if chosen:  # what compilers keep on disk is there before the first calls are measured
        list(smoke_tables(chosen, threads, ()))
    for row in chosen:
        log(f"{row}, {threads} threads")
        with Worker(threads) as worker:
            worker.ready()
            yield _table(worker, row, threads, smoke=False, peers=list(peers), rounds=rounds)


def smoke_tables(rows: Sequence[str], threads: int, peers: Sequence[str]) -> Iterator[Table]:
    """The same at sizes that take milliseconds, in one process."""
    with Worker(threads, smoke=True) as worker:
        worker.ready()
        for row in (row for row in NAMES if row in rows):
            yield _table(worker, row, threads, smoke=True, peers=list(peers), rounds=1)


def _table(worker: Worker, row: str, threads: int, **options: Any) -> Table:
    try:
        return worker.ask("task", name="circuit_row", row=row, **options)
    except WorkerFailedError as error:
        return {"circuit": row, "threads": threads, "failed": str(error)}
