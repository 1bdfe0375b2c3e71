"""Explicit new attempts at submissions that ended without results; nothing calls this by itself."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from qvlm_qiskit.errors import JobError
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore, new_id


def retry(store: JobStore, submission: Submission, run: str | None = None) -> Submission:
    """A new attempt with the same rows and package, a new id and tag, linked to the earlier one.

    Args:
        store: The ledger.
        submission: One that ended without results.
        run: Id of the run that pays for the attempt; by default the earlier one's.

    Raises:
        JobError: The submission still lives, has answers, or was attempted again already.
    """
    now = store.now()
    again = {
        **asdict(submission),
        "id": new_id("s-"),
        "tag": f"qvlm-{uuid.uuid4().hex}",
        "state": State.INTENDED,
        "run": run or submission.run,
        "attempt": submission.attempt + 1,
        "previous": submission.id,
        "posts": 0,
        "fetches": 0,
        "not_before": 0.0,
        "created_at": now,
        "updated_at": now,
    }
    for column in (
        "server_id", "raw", "reason", "reason_code", "posted_at", "certain_at", "boot",
        "boot_seconds", "account", "session", "seconds_used",
        "lease_owner", "lease_until",
    ):  # fmt: skip
        again[column] = None
    if not store.intend_again(again):
        raise JobError(
            f"submission {submission.id} is {store.submission(submission.id).state}: only one that "
            "was refused, failed, cancelled or withdrawn, and not attempted again yet, can be"
        )
    return store.submission(str(again["id"]))
