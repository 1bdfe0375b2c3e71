"""Jobs that are never lost, repeated or misread: the ledger, and the estimator in front of it.

The way of a call: `recorded` (which rows are known?) → `rows` → `purchase` (intent) → `worker` →
`submit` → `reconcile` → `follow` → `store`. `recording` puts this in front of a device, with the
machine's service (`backends.service`) or, where it brings none, this computer's (`services.local`).
`costs` limits what is spent, `verify` reads a ledger again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if __name__ != "qvlm_qiskit.jobs":
    raise ImportError("this package is imported as qvlm_qiskit.jobs, not as jobs")

if TYPE_CHECKING:
    from qvlm_qiskit.jobs.costs.budget import Budget
    from qvlm_qiskit.jobs.ledger.records import Submission
    from qvlm_qiskit.jobs.ledger.states import State
    from qvlm_qiskit.jobs.ledger.store import JobStore
    from qvlm_qiskit.jobs.recorded import Recorded
    from qvlm_qiskit.jobs.recording import Recording, recorded_backend
    from qvlm_qiskit.jobs.worker.patience import Policy
    from qvlm_qiskit.jobs.worker.worker import Worker

_HOMES = {
    "Budget": "costs.budget",
    "JobStore": "ledger.store",
    "Policy": "worker.patience",
    "Recorded": "recorded",
    "Recording": "recording",
    "State": "ledger.states",
    "Submission": "ledger.records",
    "Worker": "worker.worker",
    "recorded_backend": "recording",
}

__all__ = [
    "Budget",
    "JobStore",
    "Policy",
    "Recorded",
    "Recording",
    "State",
    "Submission",
    "Worker",
    "recorded_backend",
]

__getattr__ = lazy_names(__name__, _HOMES)
