"""Write the table of docs/faults.md: what every fault does to the stock client, and to a submission of `jobs`.

    python docs/make_faults_table.py

Both sides are run against the loopback service of `tests.runtime_server`, one fault at a time, and
what is written is what happened.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from qiskit import QuantumCircuit  # noqa: E402
from qiskit_ibm_runtime.executor_estimator import Estimator  # noqa: E402

from qvlm_qiskit.errors import QVLMError  # noqa: E402
from qvlm_qiskit.jobs import JobStore  # noqa: E402
from tests.integration.test_jobs_on_runtime import (  # noqa: E402
    DEVICE,
    EVERY_FAULT,
    buy,
    estimator_on,
)
from tests.runtime_server import FAULTS, RuntimeServer  # noqa: E402

PAGE = ROOT / "docs" / "faults.md"
MORE = {"invalid": {}, "job_failed": {}}
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"
HEAD = (
    "| fault, once | the stock client alone | jobs | a submission of `jobs` goes through "
    "| requests | jobs |\n|---|---|---|---|---|---|\n"
)


def main() -> None:
    """Run every fault on both sides and write the table."""
    lines = []
    with RuntimeServer([DEVICE], instant=True) as server:
        os.environ.update(server.environment())
        for fault, options in {**EVERY_FAULT, **MORE}.items():
            print(fault, file=sys.stderr, flush=True)
            stock = _stock(server, fault, options)
            ours = _ours(server, fault, options)
            lines.append(f"| `{fault}`: {FAULTS[fault][2]} | {' | '.join((*stock, *ours))} |")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = before + BEGIN + HEAD + "\n".join(lines) + "\n" + END + after
    PAGE.write_text(text, encoding="utf-8")


def _stock(server: Any, fault: str, options: dict[str, Any]) -> tuple[str, str]:
    """What the client alone says, and the jobs that it made."""
    tag = f"stock-{fault}"
    backend = server.service().backend(DEVICE)
    # the client waits for ever; the fault ends before the reader's patience does
    server.faults.add(fault, nth=1, **options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = Estimator(backend, options={"environment": {"job_tags": [tag]}})
            estimator.run([(QuantumCircuit(5), "IIIIZ")]).result(timeout=20)
        said = "success"
    except Exception as ex:
        said = f"`{type(ex).__name__}`"
    server.faults.clear()
    return said, str(len(server.jobs.tagged(tag)))


def _ours(server: Any, fault: str, options: dict[str, Any]) -> tuple[str, str, str]:
    """The states of a submission, its requests, and its jobs."""
    with tempfile.TemporaryDirectory() as folder:
        store = JobStore(folder)
        server.faults.add(fault, nth=1, **options)
        try:
            buy(estimator_on(store, run="r-1"), [0.1])
        except QVLMError as ex:
            print(f"  {type(ex).__name__}: {ex}", file=sys.stderr)
        server.faults.clear()
        (submission,) = store.find()
        states = [event.state for event in store.history(submission.id)]
        path = [s for s, before in zip(states, [None, *states], strict=False) if s != before]
        jobs = len(server.jobs.tagged(submission.tag))
        store.close()
    return " → ".join(path), str(submission.posts), str(jobs)


if __name__ == "__main__":
    main()
