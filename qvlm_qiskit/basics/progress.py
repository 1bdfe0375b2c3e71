"""Progress bars, injected into long work so that the work itself prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column


class Reporter(Protocol):
    """Called with the work done so far and a short note."""

    def __call__(self, done: int, note: str = "") -> None:
        """Report."""
        ...


Track = Callable[[str, int], AbstractContextManager[Reporter]]
"""Opens a progress bar: ``with track("training", 1000) as report: report(1)``."""


@contextmanager
def silent(what: str, total: int) -> Iterator[Reporter]:
    """No bar at all: for tests and library use."""

    def report(done: int, note: str = "") -> None:
        """Nothing to show."""

    yield report


def on_console(console: Console) -> Track:
    """Bars on a console, one after the other; on a non-terminal only their end is printed."""

    @contextmanager
    def track(what: str, total: int) -> Iterator[Reporter]:
        columns = (
            # one step may be a whole job: the spinner shows that it is alive
            SpinnerColumn(),
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            # what is left of the line, so that a long note is cut and not wrapped
            TextColumn(
                "{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True), markup=False
            ),
        )
        with Progress(*columns, console=console, expand=True) as progress:
            task = progress.add_task(what, total=total, note="")

            def report(done: int, note: str = "") -> None:
                progress.update(task, completed=done)
                if note:
                    progress.update(task, note=note)

            yield report

    return track
