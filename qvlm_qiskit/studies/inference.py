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
from qvlm_qiskit.jobs import Ledger, Recorded
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
    ledger = Ledger(folder)
    before = set(ledger.keys())
    first, seconds = _answer(model, processor, samples, backend, ledger, track, "Runtime inference")
    new = [key for key in ledger.keys() if key not in before]
    stored = len(ledger.keys())
    second, seconds_again = _answer(
        model, processor, samples, backend, Ledger(folder), track, "read back from the store"
    )
    if len(ledger.keys()) != stored or first.answers != second.answers:
        raise LedgerError(f"the store at {folder} did not give the answers that were put in")
    rows = [ledger.load(key).evs.size for key in ledger.keys()]
    record = {
        "backend": backend.describe(),
        "new_pubs": len(new),
        "stored_pubs": stored,
        "stored_values": int(sum(rows)),
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
    ledger: Ledger,
    track: Track,
    what: str,
) -> tuple[Evaluation, float]:
    started = time.perf_counter()
    machine = backend.recorded(lambda device, about: Recorded(device, ledger, about))
    with model.run_on(machine):
        found = evaluate(model, processor, samples, track=track, what=what)
    return found, time.perf_counter() - started
