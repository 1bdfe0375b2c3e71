"""What is kept of an evaluation that is done: answers, accuracy, the machine, and the costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.data import Sample
from qvlm_qiskit.evaluation import Evaluation
from qvlm_qiskit.jobs import JobStore, Recorded
from qvlm_qiskit.jobs.costs.usage import UNSENT, executions_of
from qvlm_qiskit.jobs.ledger.runs import JobRun, submissions_of


def result_of(
    found: Evaluation, samples: Sequence[Sample], backend: Backend, seconds: float
) -> dict[str, Any]:
    """The result of a run, JSON-able, without its costs.

    Args:
        found: The evaluation.
        samples: Its questions, in order.
        backend: Where it ran.
        seconds: How long its last forward pass took.
    """
    return {
        **found.as_dict(),
        "questions": [
            {"kind": s.kind, "question": s.question, "expected": s.answer, "answer": answer}
            for s, answer in zip(samples, found.answers, strict=True)
        ],
        "backend": backend.describe(),
        "seconds_replay": round(seconds, 2),
    }


def costs_of(store: JobStore, run: JobRun, recorded: Recorded) -> dict[str, Any]:
    """What was bought for a run, and what the ledger had already.

    Args:
        store: The ledger.
        run: The run.
        recorded: The estimator that asked for its rows.
    """
    own = {s.id: s for s in submissions_of(store, run)}
    sources: dict[str, int] = {}
    for row in store.find_rows(recorded.asked).values():
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
