"""An estimator whose answers are bought once: from the ledger, or from a machine by one job."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.backends.pubs.stack import SharedByCopies
from qvlm_qiskit.errors import JobFailedError, JobPending, LedgerError
from qvlm_qiskit.jobs.ledger.places import LedgerPlaces
from qvlm_qiskit.jobs.ledger.records import StoredRow, Submission
from qvlm_qiskit.jobs.ledger.rows import Row, assemble, split
from qvlm_qiskit.jobs.ledger.runs import note_wanted
from qvlm_qiskit.jobs.ledger.same_row import SAME_ROW, snap
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.purchase import Buyer, purchase
from qvlm_qiskit.jobs.worker.worker import Report, Worker

COSTS = ("circuits", "executions")
SENT = frozenset(State) - {State.INTENDED, State.POSTING}


class Recorded(SharedByCopies, BaseEstimatorV2):
    """Serves known rows from the ledger and buys the others, in one job per call if limits allow.

    Answers carry evs and stds only. ``metadata["record"]`` says where they come from. Fits
    `Backend.recorded`: ``backend.recorded(lambda device, about: recorder(…))``, see
    `jobs.recording.recorded_backend`.

    Args:
        estimator: The device's estimator; it is asked what jobs would execute.
        store: The ledger.
        context: What the answers depend on beside the pub: `Backend.device_description()`, the
            calibration policy, and whatever shall tell new samples from old ones.
        worker: Submits and follows jobs.
        run: Id of the run that pays.
        detach: Raise `JobPending` as soon as jobs are submitted, instead of waiting.
        rep_delay_seconds: The machine's, for estimates; None: QPU time is not estimated.
        same_row: Sampled rows whose parameters agree with those of a known row within so many
            radians are answered by it, see `jobs.ledger.same_row`. 0: to the last bit only.
        report: Called with the submissions that are waited for.

    Attributes:
        asked: Keys of all rows that were asked since this object was made.
    """

    def __init__(
        self,
        estimator: BaseEstimatorV2,
        store: JobStore,
        context: Mapping[str, Any],
        worker: Worker,
        *,
        run: str | None = None,
        detach: bool = False,
        rep_delay_seconds: float | None = None,
        same_row: float = SAME_ROW,
        report: Report | None = None,
    ) -> None:
        self.inner = estimator
        self.store = store
        self.context = dict(context)
        self.worker = worker
        worker.run = run
        self.run_id = run
        self.detach = detach
        self.buyer = Buyer(estimator, self.context, worker, run, rep_delay_seconds)
        self.same_row = same_row
        self.report = report
        self.asked: set[str] = set()

    @property
    def places(self) -> LedgerPlaces:
        """Where rows run that may run in several places."""
        return LedgerPlaces(self.store)

    def __reduce__(self) -> Any:
        """Refused: an open ledger belongs to its process.

        Raises:
            LedgerError: Always.
        """
        raise LedgerError(
            "an estimator that records into a ledger can't go to another process: open the ledger "
            "there"
        )

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> FinishedJob:
        """Answer the pubs; equal rows are asked once.

        The jobs are submitted and, unless detached, waited for inside this call: whoever is
        stopped here goes on by making the same call again.

        Args:
            pubs: Pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            JobPending: Detached, and some rows are not answered yet.
            JobFailedError: The job that was to answer a row ended without results; nothing is
                submitted again by itself.
            BudgetError: A job would cost too much.
            LedgerError: The store is damaged or of another version.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        rows = snap(self.store, split(coerced, self.context), coerced, self.same_row)
        self.asked.update(row.key for row in rows)
        new: set[str] = set()
        while True:  # what its run withdraws while this one waits for it is bought anew
            new.update(purchase(self.buyer, rows, coerced))
            known = self.store.find_rows({row.key for row in rows})
            waiting = sorted({r.submission for r in known.values() if r.evs is None})
            if len(known) == len({row.key for row in rows}) and not waiting:
                return FinishedJob(_result(coerced, rows, known, self.store, new))
            note_wanted(self.store, set(waiting) - new, self.run_id)
            self._work(waiting)

    def _work(self, identifiers: Sequence[str]) -> None:
        """Wait for submissions; detached, only until they are sent."""
        if self.detach:
            found = self.worker.finish(
                identifiers, until=lambda s: s.state in SENT, report=self.report
            )
            # What has finished meanwhile is taken along, step by step; nothing is waited for.
            before: list[Submission] = []
            while [s.state for s in before] != [s.state for s in found]:
                before = found
                found = self.worker.finish(identifiers, seconds=0.0, report=self.report)
        else:
            found = self.worker.finish(identifiers, report=self.report)
        lost = [s for s in found if s.state.ended_without_results]
        if ended := [s for s in lost if s.state is not State.WITHDRAWN]:
            raise JobFailedError(_ended(ended[0], self.run_id), [s.id for s in ended])
        if open_ones := [s.id for s in found if not s.state.final]:
            raise JobPending(
                f"{len(open_ones)} job(s) on {self.worker.service.machine} are not finished",
                open_ones,
            )


def _ended(submission: Submission, run: str | None) -> str:
    why = f": {submission.reason}" if submission.reason else ""
    hint = "" if run is None else f" (qvlm jobs retry {run} makes a new attempt)"
    return (
        f"submission {submission.id} on {submission.machine} is {submission.state}{why}; nothing "
        f"is sent again by itself{hint}"
    )


def _result(
    pubs: Sequence[EstimatorPub], rows: Sequence[Row], known: Mapping[str, StoredRow],
    store: JobStore, new: set[str],
) -> PrimitiveResult[Any]:  # fmt: skip
    values = {
        key: (row.evs, row.stds)
        for key, row in known.items()
        if row.evs is not None and row.stds is not None
    }
    by_pub: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_pub[row.pub].append(row)
    about = _Sources(store)
    answers = []
    for number, pub in enumerate(pubs):
        evs, stds = assemble(pub, by_pub[number], values)
        stored = {row.key: known[row.key] for row in by_pub[number]}
        metadata = about.metadata(stored.values(), new)
        answers.append(PubResult(DataBin(evs=evs, stds=stds, shape=pub.shape), metadata))
    return PrimitiveResult(answers, metadata={"version": 2})


class _Sources:
    """Reads the metadata of answers, each submission's once."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self._answers: dict[str, list[tuple[dict[str, Any], float]]] = {}
        self._sizes: dict[tuple[str, int], int] = {}

    def metadata(self, rows: Iterable[StoredRow], new: set[str]) -> dict[str, Any]:
        """What all sources of a pub's rows say, costs in proportion to the rows."""
        used: dict[tuple[str, int], int] = defaultdict(int)
        for row in rows:
            used[row.submission, row.pub] += 1
        parts = [(self._of(*source), count / self._size(source)) for source, count in used.items()]
        first = parts[0][0][0] if parts else {}
        merged = {
            key: value
            for key, value in first.items()
            if key not in COSTS and all(part.get(key) == value for (part, _), _ in parts)
        }
        for cost in COSTS:
            paid = [part[cost] * share for (part, _), share in parts if cost in part]
            if paid and len(paid) == len(parts):
                merged[cost] = math.ceil(sum(paid) - 1e-9)
        fresh = sum(count for (submission, _), count in used.items() if submission in new)
        total = sum(used.values())
        times = [at for (_, at), _ in parts]
        merged["record"] = {
            "source": "device" if fresh == total else "ledger" if not fresh else "both",
            "rows": total,
            "rows_from_ledger": total - fresh,
            "submissions": sorted({submission for submission, _ in used}),
            "answered_utc": None if not times else _utc(max(times)),
        }
        return merged

    def _of(self, submission: str, pub: int) -> tuple[dict[str, Any], float]:
        if submission not in self._answers:
            self._answers[submission] = self.store.answers_of(submission)
            for pub, count in self.store.row_counts(submission).items():
                self._sizes[submission, pub] = count
        return self._answers[submission][pub]

    def _size(self, source: tuple[str, int]) -> int:
        self._of(*source)
        return self._sizes[source]


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
