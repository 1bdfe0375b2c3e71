"""What a machine's bills say about the next ones.

The documented formula knows neither a machine's real pause between shots nor what it charges for a
job's beginning. Both show in the bills of jobs that were estimated and have run: in general

    bill = per_job + per_second · estimate

and where all jobs were about equally long, so that these can't be told apart, the ratio of all
bills to all estimates. Budgets are held to the documented formula all the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore

Floats = NDArray[np.float64]

LEAST_BILLS = 3
"""With fewer nothing is learned."""
LATEST_BILLS = 100
"""So many are looked at: machines change."""
SPREAD = 1.5
"""From this ratio of the longest job to the shortest on, both numbers are learned."""


@dataclass(frozen=True)
class Learned:
    """How a machine's bills follow from estimates.

    Attributes:
        bills: From how many it was learned.
        per_job: QPU seconds of each job, whatever it does; below 0 where the formula has too
            many.
        per_second: QPU seconds for each estimated one.
    """

    bills: int
    per_job: float
    per_second: float

    def seconds(self, jobs: int, estimated: float) -> float:
        """What jobs that are estimated to take so long together will be charged, in QPU seconds."""
        return max(self.per_job * jobs + self.per_second * estimated, 0.0)

    def as_dict(self, jobs: int, estimated: float | None) -> dict[str, Any]:
        """Plain data for JSON, with the figure for some jobs."""
        known = None if estimated is None else self.seconds(jobs, estimated)
        return {**asdict(self), "seconds": known}


def learned(store: JobStore | None, machine: str) -> Learned | None:
    """What a ledger has learned from a machine's bills.

    Jobs that failed or were stopped say nothing about those that run to their end.

    Args:
        store: The ledger; None: an empty one.
        machine: As `open_backend` knows it.

    Returns:
        None with fewer than `LEAST_BILLS`.
    """
    if store is None:
        return None
    table = schema.submissions.c
    query = (
        select(table.seconds_estimated, table.seconds_used)
        .where(table.machine == machine, table.state == State.ANSWERED.value)
        .where(table.seconds_estimated > 0, table.seconds_used.is_not(None))
        .order_by(table.created_at.desc(), table.id)
        .limit(LATEST_BILLS)
    )
    with store.reading() as connection:
        found = np.array([tuple(row) for row in connection.execute(query)], dtype=float)
    if len(found) < LEAST_BILLS:
        return None
    return Learned(len(found), *_fitted(found[:, 0], found[:, 1]))


def _fitted(estimates: Floats, bills: Floats) -> tuple[float, float]:
    """Seconds per job and per estimated second, by least squares of relative deviations."""
    if estimates.max() < SPREAD * estimates.min():
        return 0.0, float(bills.sum() / estimates.sum())
    scaled = np.stack([1 / estimates, np.ones_like(estimates)], axis=1)
    (per_job, per_second), *_ = np.linalg.lstsq(scaled, bills / estimates, rcond=None)
    return float(per_job), float(per_second)
