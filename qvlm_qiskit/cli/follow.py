"""What ``submit``, ``resume`` and ``watch`` show while jobs are waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from qvlm_qiskit.basics.foreign_text import shown
from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.measured import print_accuracies, print_metrics

SHOWN = 12
"""Jobs in the table; a longer run shows its last ones."""


SILENT = ("intended", "posting", "completed", "stored")
"""States that last a moment, and are worth no line of their own."""
DELAYS = ("no answer", "paced", "not accepted", "not sent")
"""How lines of a history begin that say why nothing goes on."""


class Board:
    """The jobs of a run, drawn again and again on a terminal; elsewhere a line per change.

    Args:
        console: Where to draw.
        store: The ledger.
        run: The run's record.
    """

    def __init__(self, console: Console, store: Any, run: Any) -> None:
        from qvlm_qiskit.jobs.ledger.runs import submissions_of

        self.console, self.store, self.run = console, store, run
        self._read: Callable[[], list[Any]] = partial(submissions_of, store, run)
        self._started = time.monotonic()
        self._said: set[tuple[str, str]] = set()
        self._delays: dict[str, str] = {}
        self.submissions: list[Any] = self._read()

    def update(self, waiting: list[Any]) -> None:
        """Read the run's jobs again; what is waited for can be another run's."""
        own = self._read()
        known = {submission.id for submission in own}
        self.submissions = [*(s for s in waiting if s.id not in known), *own]
        self._delays = {s.id: self._delay(s) for s in self.submissions if not s.state.final}
        if not self.console.is_terminal:
            self._say_changes()

    def _delay(self, one: Any) -> str:
        """Why a job does not go on, by the last line of its history."""
        *_, last = self.store.history(one.id)
        return str(last.note) if last.note.startswith(DELAYS) else ""

    def __rich__(self) -> Group:
        return Group(self._table(), self._bars())

    def _bars(self) -> Progress:
        """Answered jobs and rows of those that were planned; a plan can be off."""
        expected = self.run.request.get("expected", {})
        done = [s for s in self.submissions if str(s.state) == "answered"]
        bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), expand=False
        )
        to_buy = expected.get("rows", 0) - expected.get("known", 0)
        for what, count, planned, begun in (
            ("jobs", len(done), expected.get("jobs", 0), len(self.submissions)),
            ("rows", sum(s.rows for s in done), to_buy, sum(s.rows for s in self.submissions)),
        ):
            bars.add_task(what, completed=count, total=max(planned, begun))
        return bars

    def _table(self) -> Table:
        elapsed = _duration(time.monotonic() - self._started)
        table = Table(
            title=shown(f"{self.run.id} on {self.run.request['backend']['name']}, {elapsed}"),
            title_justify="left",
            header_style="bold",
        )
        for column in ("job", "state", "what that means", "rows", "for", "id there"):
            table.add_column(
                column,
                justify="right" if column in ("rows", "for") else "left",
                overflow="fold",
                no_wrap=column != "what that means",
            )
        for number, one in list(enumerate(self.submissions, 1))[-SHOWN:]:
            table.add_row(
                f"{number} {one.id}",
                str(one.state),
                shown(one.reason or self._delays.get(one.id) or one.state.meaning),
                f"{one.rows:,}",
                "" if one.state.final else _duration(time.time() - one.updated_at),
                shown(common.short(one.server_id)),
            )
        return table

    def _say_changes(self) -> None:
        for number, one in enumerate(self.submissions, 1):
            states = [] if one.state in SILENT else [f"{one.state}, {one.rows:,} rows"]
            delays = [text] if (text := self._delays.get(one.id)) else []
            for said in (*states, *delays):
                if (one.id, said) not in self._said:
                    self._said.add((one.id, said))
                    common.say(f"job {number} {one.id}: {said}", err=True)


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds; a job can queue for days."""
    whole = max(int(seconds), 0)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


@contextmanager
def board(store: Any, run: Any) -> Iterator[Callable[[list[Any]], None]]:
    """Draws until the end of the block; gives what is to be called with waiting submissions."""
    console = common.console()
    shown = Board(console, store, run)
    if not console.is_terminal:
        yield shown.update
        return
    with Live(shown, console=console, refresh_per_second=4):
        yield shown.update
        shown.update([])


def carry_on(
    store: Any,
    run: Any,
    step: Callable[..., Any],
    hint: str,
    policy: Any = None,
) -> Any:
    """Go on with a run while its jobs are shown; Ctrl-C says how to go on later.

    Args:
        store: The ledger.
        run: The run's record.
        step: `continue_evaluation` or `retry_evaluation`, with what is asked of it.
        hint: Options behind the id in the command that goes on.
        policy: How patient to be; by default as `jobs.Policy` is.

    Returns:
        The run's record.
    """
    from qvlm_qiskit.inference import Waiting

    try:
        with board(store, run) as report:
            waiting = Waiting(report=report)
            if policy is not None:
                waiting = replace(waiting, policy=policy)
            return step(store, run.id, waiting=waiting)
    except KeyboardInterrupt:
        common.say(f"qvlm: nothing is lost; go on with: qvlm jobs resume {run.id}{hint}", err=True)
        raise


def print_outcome(run: Any, as_json: bool) -> None:
    """Print a finished run's accuracy and costs, or what a waiting one waits for."""
    if as_json:
        common.print_json(run_json(run))
        return
    if run.result is None:
        common.say(f"run {run.id} is {run.state}: qvlm jobs watch {run.id} goes on with it")
        return
    result = run.result
    if "layers" in result:
        costs, count = result["costs"], len(result["layers"])
        common.say(
            f"{run.id}: the noise of {count} {'layer' if count == 1 else 'layers'} of "
            f"{run.request['backend']['name']} for {run.request['out']}; {costs['rows']:,} rows by "
            f"{costs['jobs']} jobs of this run; {costs['rows_saved']:,} were in the ledger already"
        )
        return
    if "accuracy" not in result:
        costs = result["costs"]
        common.say(
            f"{run.id}: {run.request['run']} trained {result['steps']:,} steps on "
            f"{run.request['backend']['name']}, with a loss of {result['loss']:.3f} in the end; "
            f"{costs['rows']:,} rows by {costs['jobs']} jobs"
        )
        return
    about = result["backend"]
    print_accuracies(f"{run.id}: {run.request['run']} on {about['name']}", result)
    if "metrics" in result:
        print_metrics(f"the same {result['total']:,} questions", result)
    common.print_choices(about["choices"])
    costs = result["costs"]
    common.say(
        f"{costs['rows']:,} rows by {costs['jobs']} jobs of this run; {costs['rows_saved']:,} rows "
        "were in the ledger already"
    )
    if drift := result.get("drift"):
        common.say(
            f"the machine was calibrated again: the circuits' estimated success was "
            f"{drift['planned']:.2g} when they were compiled and {drift['now']:.2g} in the end"
        )


def run_json(run: Any) -> dict[str, Any]:
    """A run's record as plain data."""
    from dataclasses import asdict

    return asdict(run)
