"""Jobs that are never lost, repeated or misread: the ledger, and the estimator in front of it.

The way of a call: `recorded` (which rows are known?) → `rows` → `purchase` (intent) → `worker` →
`submit` → `reconcile` → `follow` → `store`. `service` is what a machine has to offer; `local` and
`ibm` offer it.
"""

if __name__ != "qvlm_qiskit.jobs":
    raise ImportError("this package is imported as qvlm_qiskit.jobs, not as jobs")

from qvlm_qiskit.jobs.budget import Budget
from qvlm_qiskit.jobs.machines import Recording, recorded_backend
from qvlm_qiskit.jobs.policy import Policy
from qvlm_qiskit.jobs.recorded import Recorded
from qvlm_qiskit.jobs.records import Submission
from qvlm_qiskit.jobs.states import State
from qvlm_qiskit.jobs.store import JobStore
from qvlm_qiskit.jobs.worker import Worker

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
