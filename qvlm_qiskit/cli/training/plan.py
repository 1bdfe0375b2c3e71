"""What `qvlm train` shows of a ledger: what its steps would buy, and the jobs that it waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.preflight import print_circuits


def print_plan(ledger: Any, partial: Path | None) -> None:
    """Print what every step of a training would buy.

    Args:
        ledger: With the plan.
        partial: The folder of a training that is gone on with.
    """
    plan = ledger.plan
    circuits, *_ = plan.report.tables()
    print_circuits([circuits], [*plan.report.notes(), *plan.instead])
    total, count = plan.total, len(plan.steps)
    one = plan.next_step or plan.steps[0]
    lines = [("the next step", one, 1), ("a step (mean)", total, count), ("all steps", total, 1)]
    common.print_table(
        f"what {count:,} steps would buy",
        ("", ">rows", ">known", ">jobs", ">executions", ">QPU s"),
        [
            (
                name,
                *(
                    "–" if number is None else f"{number / parts:,.{places}f}"
                    for number, places in (
                        (costs.rows, 0),
                        (costs.known, 0),
                        (costs.jobs, 0 if parts == 1 else 1),
                        (costs.executions, 0),
                        (costs.seconds, 1),
                    )
                ),
            )
            for name, costs, parts in lines
        ],
    )
    common.say("known: rows that the ledger has or is buying; a step's jobs are sent together")
    if total.seconds is not None:
        common.say(plan.report.formula)
    if ledger.limited:
        pays = plan.affordable(*ledger.left(partial))
        common.say(f"the budget pays for about {pays:,} of {count:,} steps")


class JobLines:
    """Prints a line for every change of a job that is waited for.

    Args:
        screen: The console of the progress bar.
    """

    def __init__(self, screen: Any) -> None:
        self.screen = screen
        self._said: set[tuple[str, str]] = set()

    def __call__(self, jobs: list[Any]) -> None:
        """Called between two looks at jobs."""
        for job in jobs:
            said = (job.id, str(job.state))
            if said[1] in ("queued", "running", "unknown") and said not in self._said:
                self._said.add(said)
                self.screen.print(f"job {job.id}: {job.state}, {job.rows:,} rows")
