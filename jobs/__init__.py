"""Results of devices that are kept: a ledger of answered pubs, and the estimator that uses it."""

if __name__ != "qvlm_qiskit.jobs":
    raise ImportError("this package is imported as qvlm_qiskit.jobs, not as jobs")

from qvlm_qiskit.jobs.ledger import Ledger, StoredResult
from qvlm_qiskit.jobs.recorded import Recorded, record_key

__all__ = ["Ledger", "Recorded", "StoredResult", "record_key"]
