"""Whether a ledger's answers are what its raw results say."""

from __future__ import annotations

import numpy as np

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import schema
from qvlm_qiskit.jobs.follow import redecode
from qvlm_qiskit.jobs.records import Submission
from qvlm_qiskit.jobs.states import State
from qvlm_qiskit.jobs.store import JobStore


def verify(store: JobStore, submission: Submission | None = None) -> int:
    """Decode raw results again, from disk alone, and compare with the answered rows bit for bit.

    Args:
        store: The ledger.
        submission: One; by default all that are answered.

    Returns:
        The number of rows that were compared.

    Raises:
        LedgerError: A raw result is damaged, can't be decoded by this release, or says something
            else than the ledger.
    """
    answered = schema.submissions.c.state == State.ANSWERED.value
    chosen = store.find(answered) if submission is None else [submission]
    compared = 0
    for one in chosen:
        answers = redecode(store, one)
        for row in store.rows_of(one.id):
            if row.evs is None or row.stds is None:
                raise LedgerError(f"submission {one.id} is {one.state}: it has no answers yet")
            answer = answers[row.pub]
            same = np.array_equal(row.evs, answer.evs[..., row.position], equal_nan=True)
            if not same or not np.array_equal(
                row.stds, answer.stds[..., row.position], equal_nan=True
            ):
                raise LedgerError(
                    f"submission {one.id}: row {row.key[:12]}… of the ledger differs from its raw "
                    "result"
                )
            compared += 1
    return compared
