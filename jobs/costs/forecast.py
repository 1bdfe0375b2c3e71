"""What calls would make the ledger buy: the rows that it does not know yet, and their costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.backends.compilation.compiled import Compiled
from qvlm_qiskit.backends.compilation.row_places import Looking, Memory
from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.preflight.limits import NO_LIMITS, JobTimer
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.backends.pubs.work import Call, StatesWork
from qvlm_qiskit.jobs.cut import Scissors, by_precision
from qvlm_qiskit.jobs.ledger.places import LedgerPlaces
from qvlm_qiskit.jobs.ledger.records import StoredRow
from qvlm_qiskit.jobs.ledger.rows import Row, split
from qvlm_qiskit.jobs.ledger.same_row import SAME_ROW, snap
from qvlm_qiskit.jobs.ledger.store import JobStore


@dataclass(frozen=True)
class Forecast:
    """What a run would buy.

    Attributes:
        rows: Different rows that it needs.
        known: How many of them the ledger has, or is buying. Rows of a job that ended without
            results are not: a new attempt has to buy them.
        jobs: Jobs for the others.
        rounds: How many of these have to be waited for one after the other, by block.
        executions: Of these jobs; None where the device doesn't say beforehand.
        seconds: QPU seconds of these jobs; None where durations are not known.
    """

    rows: int
    known: int
    jobs: int
    rounds: Mapping[str, int]
    executions: int | None
    seconds: float | None

    def __add__(self, other: Forecast) -> Forecast:
        """Both together, one after the other."""
        rounds = dict(self.rounds)
        for block, count in other.rounds.items():
            rounds[block] = rounds.get(block, 0) + count
        return Forecast(
            self.rows + other.rows,
            self.known + other.known,
            self.jobs + other.jobs,
            rounds,
            _sum(self.executions, other.executions),
            _sum(self.seconds, other.seconds),
        )


def _sum(first: Any, second: Any) -> Any:
    return None if first is None or second is None else first + second


def forecast(
    store: JobStore | None,
    backend: Backend,
    calls: Iterable[Call],
    context: Mapping[str, Any],
    same_row: float = SAME_ROW,
) -> Forecast:
    """What calls of a backend's estimator would add to a ledger; nothing is run.

    Where values depend on answers (generated words, learned mitigations) those of the rehearsal
    are counted. Rows near known ones are known; rows near each other that are both new are counted
    as two, although the second will be answered by the first.

    Args:
        store: The ledger; None: an empty one.
        backend: Not recorded.
        calls: Abstract calls, as `backends.preflight.rehearse` makes them.
        context: What else the rows' keys cover, see `machines.row_context`.
        same_row: See `jobs.ledger.same_row`, in radians.

    Raises:
        QVLMError: What running the calls would raise.
    """
    return Forecaster(store, backend, context, same_row).add(calls)


class Forecaster:
    """Forecasts calls that follow each other: a row counts where it is first asked.

    Args:
        store: The ledger; None: an empty one.
        backend: Not recorded.
        context: What else the rows' keys cover, see `jobs.recording.row_context`.
        same_row: See `jobs.ledger.same_row`, in radians.
    """

    def __init__(
        self,
        store: JobStore | None,
        backend: Backend,
        context: Mapping[str, Any],
        same_row: float = SAME_ROW,
    ) -> None:
        self.store, self.backend, self.context, self.same_row = store, backend, context, same_row
        self._timer = JobTimer(backend.rep_delay_seconds)
        device = backend.device if isinstance(backend.device, StatesWork) else None
        limits = NO_LIMITS if backend.service is None else backend.limits
        self._scissors = Scissors(device, limits, self._timer, backend.name)
        self._seen: set[str] = set()
        # where rows are found, and where those go that are new
        self._places = None if store is None else Looking(LedgerPlaces(store))

    def add(self, calls: Iterable[Call], start: BaseEstimatorV2 | None = None) -> Forecast:
        """What further calls would add, see `forecast`.

        Args:
            calls: Calls of the backend's estimator, or of the one that `start` is.
            start: An estimator in the backend's stack, whose calls they are.
        """
        total = self._nothing()
        first = self.backend.estimator() if start is None else start
        for call in _device_calls(first, calls, self._places):
            total = total + self._call(call)
        return total

    def _nothing(self) -> Forecast:
        return Forecast(0, 0, 0, {}, None if self._scissors.device is None else 0, 0.0)

    def _call(self, call: Call) -> Forecast:
        pubs = [EstimatorPub.coerce(pub) for pub in call.pubs]
        asked = split(pubs, self.context)
        if self.store is not None:
            asked = snap(self.store, asked, pubs, self.same_row, remember=False)
        rows = {row.key: row for row in asked if row.key not in self._seen}
        self._seen |= set(rows)
        stored = {} if self.store is None else _living(self.store, rows)
        missing = [row for key, row in rows.items() if key not in stored]
        counted = replace(self._nothing(), rows=len(rows), known=len(stored))
        return counted + self._bought(missing, pubs, call.block) if missing else counted

    def _bought(self, rows: list[Row], pubs: list[EstimatorPub], block: str) -> Forecast:
        """Jobs for rows; where nobody says how long one takes, nobody says so of all."""
        cut, groups = self._scissors, by_precision(rows, pubs)
        made = [job for group in groups for job in cut.jobs(group, pubs)]
        planned = [works for job in made for works in cut.works(job)]
        executions = sum(work.executions for job in planned for work in job)
        times = [self._timer.seconds(job) for job in planned] or [None]
        seconds = None if None in times else sum(time or 0.0 for time in times)
        known = None if self._scissors.device is None else executions
        return Forecast(0, 0, max(len(planned), len(made)), {block: 1}, known, seconds)


def _living(store: JobStore, keys: Iterable[str]) -> dict[str, StoredRow]:
    """The rows that are answered or will be."""
    found = store.find_rows(keys)
    open_ones = {row.submission for row in found.values() if row.evs is None}
    lost = {name for name in open_ones if store.submission(name).state.ended_without_results}
    return {key: row for key, row in found.items() if row.submission not in lost}


def _device_calls(
    first: BaseEstimatorV2, calls: Iterable[Call], places: Memory | None
) -> Iterable[Call]:
    """The calls that reach the device, of an estimator's calls."""
    for layer in stack_of(first):
        if not isinstance(layer, Compiled | EstimatorWrapper):
            break
        if isinstance(layer, EstimatorWrapper):
            calls = layer.planned(calls, places)
        else:
            calls = layer.plan(calls)
    return calls
