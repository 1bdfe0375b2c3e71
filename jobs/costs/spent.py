"""What was bought for a run, and what the ledger had already."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from qvlm_qiskit.jobs.costs.usage import UNSENT, executions_of
from qvlm_qiskit.jobs.ledger.runs import JobRun, submissions_of
from qvlm_qiskit.jobs.ledger.store import JobStore


def costs_of(store: JobStore, run: JobRun, asked: Collection[str]) -> dict[str, Any]:
    """What was bought for a run, and what the ledger had already.

    Args:
        store: The ledger.
        run: The run.
        asked: Keys of the rows that it asked for, see `Recorded.asked`.
    """
    own = {s.id: s for s in submissions_of(store, run)}
    sources: dict[str, int] = {}
    for row in store.find_rows(asked).values():
        sources[row.submission] = sources.get(row.submission, 0) + 1
    saved_rows, saved_executions, saved_seconds = 0, 0.0, 0.0
    for identifier, rows in sources.items():
        if identifier in own:
            continue
        other = store.submission(identifier)
        share = rows / other.rows
        saved_rows += rows
        saved_executions += share * (executions_of(store, other) or 0)
        saved_seconds += share * (other.seconds_used or other.seconds_estimated or 0.0)
    return {
        "jobs": sum(s.state not in UNSENT for s in own.values()),
        "rows": sum(sources.values()),
        "rows_saved": saved_rows,
        "executions_saved": round(saved_executions),
        "seconds_saved": saved_seconds,
        "submissions": sorted(sources),
    }
