"""Rows in as few jobs as a machine's documented limits allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.devices.packed import Packed
from qvlm_qiskit.backends.preflight.limits import JobLimits, JobTimer
from qvlm_qiskit.backends.pubs.work import StatesWork, Work
from qvlm_qiskit.errors import BudgetError
from qvlm_qiskit.jobs.ledger.rows import Row, merge

Pubs = list[tuple[EstimatorPub, list[Row]]]


@dataclass(frozen=True)
class Scissors:
    """Cuts rows into jobs.

    Different circuits are also parted where together they have so many two-qubit gates that the
    service may refuse them. Rows of one circuit add none, and circuits that run side by side would
    cost more apart than a refusal is worth.

    Attributes:
        device: Says what a job would execute; None where nobody knows: nothing is cut then.
        limits: What one job may be at most.
        timer: How long a job takes.
        machine: Its name, for refusals.
    """

    device: StatesWork | None
    limits: JobLimits
    timer: JobTimer
    machine: str

    def jobs(self, rows: Sequence[Row], pubs: Sequence[EstimatorPub]) -> list[Pubs]:
        """Rows of one precision in the fewest jobs that keep their order.

        Where circuits run side by side, one row of each comes in turn: the jobs of one circuit
        after the other would share nothing.

        Args:
            rows: Of different keys.
            pubs: The pubs that they come from.

        Raises:
            BudgetError: One row alone is more than a job of this machine may be.
        """
        if isinstance(self.device, Packed):
            rows = in_turn(rows)
        made, first = [], 0
        while first < len(rows):
            count = self._fitting(rows[first:], pubs)
            made.append(merge(rows[first : first + count], pubs))
            first += count
        return made

    def _fitting(self, rows: Sequence[Row], pubs: Sequence[EstimatorPub]) -> int:
        """How many of the first rows fit into one job: all, or the most, found by halving."""
        if not self._broken(rows, pubs):
            return len(rows)
        fits, breaks = 0, len(rows)
        while breaks - fits > 1:
            middle = (fits + breaks) // 2
            if self._broken(rows[:middle], pubs):
                breaks = middle
            else:
                fits = middle
        if fits == 0:
            why = self._broken(rows[:1], pubs)[0]
            raise BudgetError(f"one row alone is too much for {self.machine}: {why}")
        return fits

    def _broken(self, rows: Sequence[Row], pubs: Sequence[EstimatorPub]) -> list[str]:
        """The limits that one job of these rows would exceed, or may exceed."""
        job = merge(rows, pubs)
        works = self.works(job)
        found = [t for work in works for t in self.limits.broken(work, self.timer.seconds(work))]
        if len(job) > 1 and not isinstance(self.device, Packed):
            found += [text for work in works for text in self.limits.unsure(work)]
        return found

    def works(self, job: Pubs) -> list[list[Work]]:
        """What a job would execute; nothing where nobody knows."""
        return [] if self.device is None else self.device.jobs([pub for pub, _ in job])


def by_precision(rows: Sequence[Row], pubs: Sequence[EstimatorPub]) -> list[list[Row]]:
    """Rows in groups of one precision, as a job must have; a group keeps its order."""
    groups: dict[float | None, list[Row]] = {}
    for row in rows:
        groups.setdefault(pubs[row.pub].precision, []).append(row)
    return list(groups.values())


def in_turn(rows: Sequence[Row]) -> list[Row]:
    """One row of every group, then the next of each; a group keeps its order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return [row for one in zip_longest(*groups.values()) for row in one if row is not None]
