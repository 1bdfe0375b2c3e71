"""Jobs that are never lost, repeated or misread: the ledger, and the estimator in front of it.

The way of a call: `recorded` (which rows are known?) → `rows` → `purchase` (intent) → `worker` →
`submit` → `reconcile` → `follow` → `store`. A machine brings its service (`backends.service`); one
that has none is run on this computer by `services.local`.
"""

if __name__ != "qvlm_qiskit.jobs":
    raise ImportError("this package is imported as qvlm_qiskit.jobs, not as jobs")

from qvlm_qiskit.jobs.costs.budget import Budget
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.recorded import Recorded
from qvlm_qiskit.jobs.recording import Recording, recorded_backend
from qvlm_qiskit.jobs.worker.patience import Policy
from qvlm_qiskit.jobs.worker.worker import Worker

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
