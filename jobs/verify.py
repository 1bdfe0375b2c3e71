"""Whether a ledger's answers are what its raw results say, and damaged results brought back.

The answers were made from the undamaged bytes and stay as they are; only bytes with the recorded
SHA-256 take the place of damaged ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from qvlm_qiskit.backends.pubs.answer import DamagedResultError, PubAnswer
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.blobs import DamagedBlobError
from qvlm_qiskit.jobs.ledger.records import StoredRow, Submission
from qvlm_qiskit.jobs.ledger.rows import split
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.services.decode import redecode

Place = tuple[int, int]
"""Pub of a package, and position among its rows."""


def verify(store: JobStore, submission: Submission | None = None, *, track: Track = silent) -> int:
    """Decode raw results again, from disk alone, and compare with the ledger bit for bit.

    Of every submission: that it has all of its rows, that their keys are those of what was asked,
    their values those of the raw result, and what the answers say beside them.

    Args:
        store: The ledger.
        submission: One; by default all that are answered, of which one is in memory at a time.
        track: Opens a progress bar.

    Returns:
        The number of rows that were compared.

    Raises:
        LedgerError: A raw result is damaged, can't be decoded by this release, or says something
            else than the ledger.
    """
    if submission is not None:
        return _verified(store, submission)
    rows, names = 0, store.ids_in_state(State.ANSWERED)
    with track("verify", len(names)) as report:
        for number, name in enumerate(names, 1):
            rows += _verified(store, store.submission(name))
            report(number, f"{rows:,} rows")
    return rows


def _verified(store: JobStore, one: Submission) -> int:
    if one.state is not State.ANSWERED:
        raise LedgerError(f"submission {one.id} is {one.state}: it has no answers yet")
    try:
        answers = redecode(store, one)
    except DamagedBlobError as ex:
        raise LedgerError(
            f"submission {one.id}: {ex}; its answers stay (qvlm jobs verify --restore fetches "
            "damaged results again)"
        ) from ex
    except DamagedResultError as ex:
        raise LedgerError(
            f"submission {one.id} was answered from a result that this release does not take: {ex}"
        ) from ex
    rows = {(row.pub, row.position): row for row in store.rows_of(one.id)}
    keys = _keys(Package.from_bytes(store.blobs.get(one.package)), one)
    if len(rows) != one.rows or rows.keys() != keys.keys():
        lost = len(keys.keys() - rows.keys())
        raise LedgerError(
            f"submission {one.id} asked for {len(keys)} rows and counts {one.rows}; the ledger has "
            f"{len(rows)}, and {lost} of what was asked are missing"
        )
    for place, row in rows.items():
        if row.key != keys[place]:
            raise LedgerError(
                f"submission {one.id}: row {row.key[:12]}… of the ledger has the place of "
                f"{keys[place][:12]}… in what was asked"
            )
        if not _same(row, answers):
            raise LedgerError(
                f"submission {one.id}: row {row.key[:12]}… of the ledger differs from its raw "
                "result"
            )
    said = [metadata for metadata, _ in store.answers_of(one.id)]
    if said != [json.loads(json.dumps(dict(answer.metadata))) for answer in answers]:
        raise LedgerError(
            f"submission {one.id}: what the ledger says about its answers (shots, options) "
            "differs from its raw result"
        )
    return len(rows)


def _keys(package: Package, one: Submission) -> dict[Place, str]:
    """The keys of all rows of a package, by their place."""
    if package.about != one.about:
        raise LedgerError(
            f"submission {one.id}: the machine and options in the ledger are not those of what was "
            "asked"
        )
    counts = [0] * len(package.pubs)
    keys = {}
    for row in split(package.pubs, one.about):
        keys[row.pub, counts[row.pub]] = row.key
        counts[row.pub] += 1
    return keys


def _same(row: StoredRow, answers: Sequence[PubAnswer]) -> bool:
    answer = answers[row.pub]
    return all(
        stored is not None and np.array_equal(stored, values[..., row.position], equal_nan=True)
        for stored, values in ((row.evs, answer.evs), (row.stds, answer.stds))
    )


def damaged_results(store: JobStore) -> list[Submission]:
    """Answered submissions whose raw bytes are missing or have changed, the oldest first.

    Damaged files are moved aside while they are found.
    """
    found = []
    for one in map(store.submission, store.ids_in_state(State.ANSWERED)):
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
