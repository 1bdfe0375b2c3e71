"""What calls would make the ledger buy: the rows that it does not know yet, and their costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.backends.compilation.compiled import Compiled
from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.preflight.limits import JobTimer
from qvlm_qiskit.backends.pubs.stack import stack_of
from qvlm_qiskit.backends.pubs.work import Call, StatesWork
from qvlm_qiskit.jobs.ledger.records import StoredRow
from qvlm_qiskit.jobs.ledger.rows import merge, split
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
    device = backend.device if isinstance(backend.device, StatesWork) else None
    timer = JobTimer(backend.rep_delay_seconds)
    seen: set[str] = set()
    rounds: dict[str, int] = defaultdict(int)
    total = jobs = known = executions = 0
    seconds: float | None = 0.0
    for call in _device_calls(backend, calls):
        pubs = [EstimatorPub.coerce(pub) for pub in call.pubs]
        asked = split(pubs, context)
        if store is not None:
            asked = snap(store, asked, pubs, same_row, remember=False)
        rows = {row.key: row for row in asked if row.key not in seen}
        seen |= set(rows)
        stored = {} if store is None else _living(store, rows)
        total, known = total + len(rows), known + len(stored)
        missing = [row for key, row in rows.items() if key not in stored]
        if not missing:
            continue
        merged = [pub for pub, _ in merge(missing, pubs)]
        planned = [] if device is None else device.jobs(merged)
        jobs += max(len(planned), 1)
        rounds[call.block] += 1
        executions += sum(work.executions for job in planned for work in job)
        times = [timer.seconds(job) for job in planned] or [None]
        spent = None if None in times else sum(time or 0.0 for time in times)
        seconds = None if seconds is None or spent is None else seconds + spent
    counted = None if device is None else executions
    return Forecast(total, known, jobs, dict(rounds), counted, seconds)


def _living(store: JobStore, keys: Iterable[str]) -> dict[str, StoredRow]:
    """The rows that are answered or will be."""
    found = store.find_rows(keys)
    open_ones = {row.submission for row in found.values() if row.evs is None}
    lost = {name for name in open_ones if store.submission(name).state.ended_without_results}
    return {key: row for key, row in found.items() if row.submission not in lost}


def _device_calls(backend: Backend, calls: Iterable[Call]) -> Iterable[Call]:
    """The calls that reach the device."""
    for layer in stack_of(backend.estimator()):
        if not isinstance(layer, Compiled | EstimatorWrapper):
            break
        calls = layer.plan(calls)
    return calls
