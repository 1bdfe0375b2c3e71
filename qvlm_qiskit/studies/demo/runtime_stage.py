"""Inference through the Runtime client, with every answer kept in a ledger on disk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.evaluation import Evaluation, evaluate
from qvlm_qiskit.jobs import JobStore, recorded_backend
from qvlm_qiskit.jobs.verify import verify
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.progress import Track, silent


def recorded_inference(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: Sequence[Sample],
    backend: Backend,
    folder: Path,
    *,
    track: Track = silent,
) -> tuple[Evaluation, dict[str, Any]]:
    """Answer questions on a backend, store every result, and answer them again from the store.

    Args:
        model: Trained, in evaluation mode.
        processor: The one it was trained with.
        samples: The questions of the batch.
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
    first, seconds = _answer(model, processor, samples, backend, store, track, "Runtime inference")
    stored, values = store.count_rows(), verify(store)
    second, seconds_again = _answer(
        model, processor, samples, backend, JobStore(folder), track, "read back from the store"
    )
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


def _answer(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: Sequence[Sample],
    backend: Backend,
    store: JobStore,
    track: Track,
    what: str,
) -> tuple[Evaluation, float]:
    started = time.perf_counter()
    machine = recorded_backend(backend, store)
    with model.run_on(machine):
        found = evaluate(model, processor, samples, track=track, what=what)
    return found, time.perf_counter() - started
