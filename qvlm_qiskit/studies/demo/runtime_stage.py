"""Inference through the Runtime client, with every answer kept in a ledger on disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.evaluation import Evaluation, Exam, evaluate_exam
from qvlm_qiskit.jobs import JobStore, recorded_backend
from qvlm_qiskit.jobs.verify import verify


def recorded_inference(
    exam: Exam, backend: Backend, folder: Path, *, track: Track = silent
) -> tuple[Evaluation, dict[str, Any]]:
    """Answer questions on a backend, store every result, and answer them again from the store.

    Args:
        exam: A trained model and the questions of the batch.
        backend: Usually a Runtime one, such as ``open_backend("fake_torino")``.
        folder: The ledger's folder.
        track: Opens progress bars.

    Returns:
        The evaluation read back from the store, and the same as plain data with what the job sent
        and stored.

    Raises:
        LedgerError: The store did not hold all answers, or gave others.
    """
    store = JobStore(folder)
    jobs, rows = store.count_jobs(), store.count_rows()
    first, seconds = _answer(exam, recorded_backend(backend, store), track, "Runtime inference")
    stored, values = store.count_rows(), verify(store)
    again = recorded_backend(backend, JobStore(folder))
    second, seconds_again = _answer(exam, again, track, "read back from the store")
    if store.count_rows() != stored or first.answers != second.answers:
        raise LedgerError(f"the store at {folder} did not give the answers that were put in")
    record = {
        "backend": backend.describe(),
        "jobs": store.count_jobs() - jobs,
        "new_rows": stored - rows,
        "stored_rows": stored,
        "verified_rows": values,
        "stored_bytes": sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        "seconds": round(seconds, 2),
        "seconds_from_store": round(seconds_again, 2),
        **second.as_dict(),
    }
    return second, record


def _answer(exam: Exam, machine: Backend, track: Track, what: str) -> tuple[Evaluation, float]:
    started = time.perf_counter()
    with exam.model.run_on(machine):
        found = evaluate_exam(exam, track=track, what=what)
    return found, time.perf_counter() - started
