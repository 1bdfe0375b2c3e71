"""What a call, a listing and a check cost on ledgers of 10³ to 10⁶ rows.

    python benchmarks/ledger.py [--rows 1000 1000000] [--out benchmarks/results/ledger.txt]

Each ledger is filled with answered rows of one circuit, the worst case for finding rows near
others; the calls are then made as a model makes them, against a machine that answers at once. The
call on an empty ledger is measured again beside each, because the machine's speed changes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from sqlalchemy import insert

from qvlm_qiskit import open_backend
from qvlm_qiskit.jobs import JobStore, Recorded, Worker
from qvlm_qiskit.jobs.costs.usage import usage
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.projection import projection
from qvlm_qiskit.jobs.ledger.records import bytes_of
from qvlm_qiskit.jobs.ledger.rows import split
from qvlm_qiskit.jobs.ledger.runs import job_counts, list_runs, submissions_of
from qvlm_qiskit.jobs.services.local import LocalJobs
from qvlm_qiskit.jobs.verify import verify

PARAMETERS = 8
ROWS_PER_JOB = 100
JOBS_PER_RUN = 10
ROWS_PER_CALL = 8
PRECISION = 0.05
GOAL_RATIO, GOAL_SECONDS = 1.2, 2.0
CONTEXT = {"machine": "bench"}


@dataclass(frozen=True)
class Measured:
    """Times of a ledger; all in seconds.

    Attributes:
        rows: In the ledger before the calls.
        empty: A call for new rows on an empty ledger, median.
        new: The same on this one.
        known: A call for rows that it has, median.
        listing: `qvlm jobs list` without the process's start.
        usage: `qvlm jobs usage`, likewise.
        show: `qvlm jobs show`, likewise.
        opening: Of the ledger.
    """

    rows: int
    empty: float
    new: float
    known: float
    listing: float
    usage: float
    show: float
    opening: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--calls", type=int, default=25, help="of each kind and ledger")
    parser.add_argument("--verified", type=int, default=2_000, help="rows that are verified")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    lines = [*header()]
    print("\n".join(lines), flush=True)
    for count in chosen.rows:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(row(measured(Path(folder), count, chosen.calls)))
        print(lines[-1], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        lines.append(verified(Path(folder), chosen.verified))
    print(lines[-1], flush=True)
    if chosen.out is not None:
        chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def header() -> list[str]:
    """The table's title and columns."""
    return [
        f"A call asks for {ROWS_PER_CALL} rows of {PARAMETERS} parameters; all rows are of one "
        "circuit.",
        f"Goals: call/empty <= {GOAL_RATIO}, list, usage and show <= {GOAL_SECONDS:.0f} s.",
        "",
        f"{'rows':>9} {'call ms':>8} {'empty ms':>9} {'ratio':>6} {'known ms':>9} "
        f"{'open ms':>8} {'list s':>7} {'usage s':>8} {'show s':>7}",
    ]


def row(found: Measured) -> str:
    """A line of the table."""
    return (
        f"{found.rows:>9,} {1e3 * found.new:>8.1f} {1e3 * found.empty:>9.1f} "
        f"{found.new / found.empty:>6.2f} {1e3 * found.known:>9.1f} {1e3 * found.opening:>8.1f} "
        f"{found.listing:>7.2f} {found.usage:>8.2f} {found.show:>7.2f}"
    )


def measured(folder: Path, count: int, calls: int) -> Measured:
    """Fill a ledger and measure it beside an empty one."""
    generator = np.random.default_rng(1)
    JobStore(folder / "full").close()
    values = filled(folder / "full", count, generator)
    opened = timed(lambda: JobStore(folder / "full").close())
    full, empty = JobStore(folder / "full"), JobStore(folder / "empty")
    ask_full, ask_empty = estimator(full), estimator(empty)
    news, empties, knowns = [], [], []
    for number in range(calls + 1):
        # In turns: whatever else the machine does meets both.
        fresh = generator.uniform(-3, 3, (ROWS_PER_CALL, PARAMETERS))
        asked = (
            (ask_full, fresh),
            (ask_empty, fresh),
            (ask_full, values[:ROWS_PER_CALL] + 1e-8),
        )
        times = [timed(ask, rows) for ask, rows in asked]
        if number:
            for kept, seconds in zip((news, empties, knowns), times, strict=True):
                kept.append(seconds)
    runs = list_runs(full)
    found = Measured(
        count,
        *(statistics.median(times) for times in (empties, news, knowns)),
        timed(lambda: (list_runs(full), job_counts(full))),
        timed(lambda: (usage(full), list_runs(full))),
        timed(lambda: [full.history(job.id) for job in submissions_of(full, runs[-1])]),
        opened,
    )
    full.close()
    empty.close()
    return found


def verified(folder: Path, count: int) -> str:
    """What checking every answer against its raw result costs by row."""
    store = JobStore(folder)
    ask = estimator(store)
    generator = np.random.default_rng(2)
    for _ in range(0, count, ROWS_PER_JOB):
        ask(generator.uniform(-3, 3, (min(ROWS_PER_JOB, count), PARAMETERS)))
    seconds = timed(lambda: verify(store))
    rows = store.count_rows()
    store.close()
    return f"\nverify: {rows / seconds:,.0f} rows/s, one job of {ROWS_PER_JOB} rows in memory"


def timed(work: Callable[..., Any], *arguments: Any) -> float:
    """Seconds."""
    begun = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begun


def circuit() -> QuantumCircuit:
    """One qubit, all parameters in rotations, in a device's gates."""
    made = QuantumCircuit(1)
    for parameter in ParameterVector("x", PARAMETERS):
        made.rz(parameter, 0)
        made.sx(0)
    return made


CIRCUIT = circuit()


def estimator(store: JobStore) -> Callable[[NDArray[np.float64]], Any]:
    """Asks a store's estimator for rows."""
    device = open_backend("noisy:depolarizing(0.01)", shots=400, seed=1).device
    service = LocalJobs(device, "bench", store.folder / "local")
    recorded = Recorded(device, store, CONTEXT, Worker(store, service))

    def ask(values: NDArray[np.float64]) -> Any:
        return recorded.run([(CIRCUIT, "Z", values, PRECISION)]).result()

    return ask


def filled(folder: Path, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Fill a ledger with answered rows, straight into its tables; returns their parameters."""
    values = generator.uniform(-3, 3, (count, PARAMETERS))
    pub = EstimatorPub.coerce((CIRCUIT, "Z", values[:1], PRECISION))
    kind = split([pub], CONTEXT)[0].group
    store = JobStore(folder)
    indexes = (schema.rows_by_place, schema.rows_by_projection)
    with store.transaction() as connection:
        for index in indexes:  # made at the end, in one go
            index.drop(connection)
        raw = connection.connection.driver_connection
        for number, rows in enumerate(pieces(values)):
            if number % JOBS_PER_RUN == 0:
                run = f"r-{uuid.uuid4().hex[:12]}"
                connection.execute(insert(schema.runs), run_line(run, len(rows)))
            job = f"s-{uuid.uuid4().hex[:12]}"
            connection.execute(insert(schema.submissions), job_line(job, run, len(rows)))
            raw.executemany(ROW, row_lines(number * ROWS_PER_JOB, job, kind, rows))
            connection.execute(insert(schema.answers), answer_line(job))
            connection.execute(insert(schema.events), event_lines(job))
        for index in indexes:
            index.create(connection)
    store.close()
    return values


def pieces(values: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The rows of each job."""
    for first in range(0, len(values), ROWS_PER_JOB):
        yield values[first : first + ROWS_PER_JOB]


def run_line(run: str, rows: int) -> dict[str, Any]:
    """A run that is done, with as many questions as a run of so many rows has."""
    question = {"question": "which colour?", "expected": "red", "answer": "red"}
    costs = {"rows_saved": 0, "executions_saved": 0, "seconds_saved": 0.0, "submissions": []}
    result = {"accuracy": 1.0, "correct": rows, "costs": costs, "questions": [question] * 100}
    request = {"backend": {"name": "bench"}, "options": {"limit": 100}}
    return {
        "id": run, "created_at": time.time(), "updated_at": time.time(), "state": "done",
        "request": json.dumps(request), "result": json.dumps(result), "error": None,
    }  # fmt: skip


def job_line(job: str, run: str, rows: int) -> dict[str, Any]:
    """An answered submission."""
    return {
        "id": job, "tag": f"qvlm-{job}", "run": run, "state": "answered", "machine": "bench",
        "decoder": "local-1", "package": "0" * 64, "raw": "0" * 64, "about": json.dumps(CONTEXT),
        "attempt": 1, "rows": rows, "executions": 400 * rows, "max_seconds": 60, "posts": 1,
        "seconds_estimated": 1.0, "seconds_used": 1.0, "server_id": f"job-{job}", "fetches": 1,
        "not_before": 0.0, "created_at": time.time(), "updated_at": time.time(),
    }  # fmt: skip


ROW = (
    "insert into rows (key, submission, pub, position, kind, parameters, projection, evs, stds) "
    "values (?, ?, 0, ?, ?, ?, ?, ?, ?)"
)


def row_lines(
    first: int, job: str, kind: str, rows: NDArray[np.float64]
) -> Iterator[tuple[Any, ...]]:
    """Answered rows, for `ROW`; past the driver's mapping, which takes longer than all else."""
    value, error = bytes_of([0.5]), bytes_of([0.05])
    for position, values in enumerate(rows):
        key = f"{first + position:064x}"
        yield key, job, position, kind, values.tobytes(), projection(values), value, error


def answer_line(job: str) -> dict[str, Any]:
    """What a machine says beside its values."""
    return {"submission": job, "pub": 0, "metadata": '{"shots": 400}', "answered_at": time.time()}


def event_lines(job: str) -> list[dict[str, Any]]:
    """The history of a submission without faults."""
    states = ("intended", "posting", "queued", "completed", "stored", "answered")
    return [
        {"submission": job, "at": time.time(), "state": s, "note": "a note", "owner": "host:1:a"}
        for s in states
    ]


if __name__ == "__main__":
    main()
