"""Raw results that were damaged after they had been read, brought back from the service.

The ledger's answers were made from the undamaged bytes and stay as they are; only bytes with the
recorded SHA-256 take the damaged ones' place.
"""

from __future__ import annotations

import hashlib

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.blobs import DamagedBlobError
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.services.interface import JobService


def damaged_results(store: JobStore) -> list[Submission]:
    """Answered submissions whose raw bytes are missing or have changed, the oldest first.

    Damaged files are moved aside while they are found.
    """
    found = []
    for one in store.find(schema.submissions.c.state == State.ANSWERED.value):
        try:
            store.blobs.get(str(one.raw))
        except DamagedBlobError:
            found.append(one)
    return found


def restore_result(store: JobStore, service: JobService, submission: Submission) -> None:
    """Fetch an answered submission's raw result once more.

    Args:
        store: The ledger.
        service: The machine that ran the job, in the account that sent it.
        submission: From `damaged_results`.

    Raises:
        UnreachableError: No complete answer; nothing has changed.
        NoSuchJobError: The service does not have the job any more.
        LedgerError: What came is not what was answered from.
    """
    if submission.account not in (None, service.account):
        raise LedgerError(f"submission {submission.id} was sent by another account or instance")
    raw = service.fetch(str(submission.server_id))
    found = hashlib.sha256(raw).hexdigest()
    if found != submission.raw:
        raise LedgerError(
            f"the service's result of submission {submission.id} has another SHA-256 "
            f"({found[:12]}…) than the one that was read ({str(submission.raw)[:12]}…): not taken"
        )
    store.blobs.put(raw)
    store.note(submission.id, "its damaged raw result was fetched again")
