"""Rows that nobody has asked before become submissions: as few as limits allow, each row once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.devices.packed import Packed
from qvlm_qiskit.backends.preflight.limits import JobTimer
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.pubs.packing import Bundle
from qvlm_qiskit.backends.pubs.work import StatesWork
from qvlm_qiskit.jobs.cut import Pubs, Scissors, by_precision
from qvlm_qiskit.jobs.ledger.projection import projection
from qvlm_qiskit.jobs.ledger.rows import Row, merge
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import new_id
from qvlm_qiskit.jobs.worker.desk import Desk


@dataclass(frozen=True)
class Buyer:
    """Who buys rows, and of what.

    Attributes:
        device: Is asked what its jobs would execute.
        context: What the answers depend on beside the pub.
        desk: The ledger, the machine and the budget.
        run: Id of the run that pays.
        rep_delay_seconds: The machine's, for estimates; None: QPU time is not estimated.
    """

    device: BaseEstimatorV2
    context: Mapping[str, Any]
    desk: Desk
    run: str | None = None
    rep_delay_seconds: float | None = None


def purchase(buyer: Buyer, rows: Sequence[Row], pubs: Sequence[EstimatorPub]) -> list[str]:
    """Record the intent to buy every row that the ledger does not know; nothing is sent.

    Args:
        buyer: For which machine and run.
        rows: The rows of a call.
        pubs: The pubs that they come from.

    Returns:
        Ids of the new submissions.

    Raises:
        BudgetError: One row alone is more than a job of this machine may be.
    """
    made: list[str] = []
    while True:
        known = buyer.desk.store.find_rows({row.key for row in rows})
        missing = list({row.key: row for row in rows if row.key not in known}.values())
        if not missing:
            return made
        for chunk in _chunks(buyer, missing, pubs):
            identifier = new_id("s-")
            # False: another worker has bought one of the rows meanwhile; all are looked up anew.
            if not buyer.desk.store.intend(*_intent(buyer, identifier, chunk)):
                break
            made.append(identifier)


def _chunks(buyer: Buyer, rows: Sequence[Row], pubs: Sequence[EstimatorPub]) -> list[Pubs]:
    """Rows in jobs of one precision, each within the documented limits."""
    groups, service = by_precision(rows, pubs), buyer.desk.service
    if not service.charges:
        return [merge(group, pubs) for group in groups]
    cut = Scissors(_device(buyer), service.limits, _timer(buyer), service.machine)
    return [job for group in groups for job in cut.jobs(group, pubs)]


def _intent(
    buyer: Buyer, identifier: str, chunk: Pubs
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The columns of a submission, and its rows; the package is on disk when this returns."""
    pubs = tuple(pub for pub, _ in chunk)
    package = Package(pubs, buyer.context, bundles=_bundles(buyer, pubs))
    executions, seconds = _estimate(buyer, chunk)
    service, now = buyer.desk.service, buyer.desk.store.now()
    columns = {
        "id": identifier,
        "tag": f"qvlm-{uuid.uuid4().hex}",
        "run": buyer.run,
        "state": State.INTENDED,
        "machine": service.machine,
        "decoder": service.decoder,
        "package": buyer.desk.store.blobs.put(package.to_bytes()),
        "about": dict(buyer.context),
        "attempt": 1,
        "rows": sum(len(rows) for _, rows in chunk),
        "executions": executions,
        "seconds_estimated": seconds,
        "max_seconds": buyer.desk.budget.max_seconds(seconds, service.limits),
        "posts": 0,
        "not_before": 0.0,
        "fetches": 0,
        "created_at": now,
        "updated_at": now,
    }
    rows = [
        {
            "key": row.key,
            "pub": number,
            "position": position,
            "kind": row.group,
            "parameters": row.values.tobytes(),
            "projection": projection(row.values),
        }
        for number, (_, members) in enumerate(chunk)
        for position, row in enumerate(members)
    ]
    return columns, rows


def _bundles(buyer: Buyer, pubs: Sequence[EstimatorPub]) -> tuple[Bundle, ...]:
    """Which pubs the service sends as one; () where it sends each, or the device packs itself."""
    if not (isinstance(buyer.device, Packed) and buyer.desk.service.packs):
        return ()
    return tuple(buyer.device.bundles(pubs))


def _estimate(buyer: Buyer, chunk: Pubs) -> tuple[int | None, float | None]:
    """Executions and QPU seconds; None where nobody can say.

    Counting what the Runtime client would send takes as long as preparing it, so it is done only
    where something depends on it.
    """
    budget = buyer.desk.budget
    wanted = buyer.desk.service.charges or budget.seconds or budget.executions
    device = _device(buyer)
    if not wanted or device is None:
        return None, None
    jobs = device.jobs([pub for pub, _ in chunk])
    executions = sum(work.executions for job in jobs for work in job)
    timer = _timer(buyer)
    seconds = [timer.seconds(job) for job in jobs]
    known = [value for value in seconds if value is not None]
    return executions, sum(known) if len(known) == len(seconds) else None


def _device(buyer: Buyer) -> StatesWork | None:
    return buyer.device if isinstance(buyer.device, StatesWork) else None


def _timer(buyer: Buyer) -> JobTimer:
    return JobTimer(buyer.rep_delay_seconds)
