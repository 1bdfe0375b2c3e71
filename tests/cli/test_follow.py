"""What is shown while a run waits."""

import io
import re

import pytest
from rich.console import Console

from qvlm_qiskit.cli.follow import Board
from qvlm_qiskit.jobs.ledger.runs import list_runs
from tests.cli.small_runs import MACHINE, STORE


def test_a_process_whose_run_is_cancelled_ends_with_one_line(qvlm, ledger, monkeypatch):
    """Another terminal cancels while it looks at its jobs."""
    from qvlm_qiskit.inference import cancel_evaluation

    update, before = Board.update, []

    def and_cancel(self, waiting):
        update(self, waiting)
        if not before and all(job.state.final for job in waiting):
            before.append(ledger().count_jobs())
            cancel_evaluation(ledger(), self.run.id)

    monkeypatch.setattr(Board, "update", and_cancel)
    found = qvlm("submit", "run", *MACHINE, *STORE)
    (run,) = list_runs(ledger())
    assert (found.status, run.state) == (2, "cancelled")
    said = f"run {run.id} was cancelled: nothing more is sent for it (qvlm jobs retry {run.id}"
    assert said in found.err.splitlines()[-1]
    assert ledger().count_jobs() == before[0]


@pytest.mark.slow
def test_a_terminal_shows_bars_of_jobs_and_rows(qvlm, ledger):
    assert qvlm("submit", "run", *MACHINE, *STORE, "--detach").status == 0
    (run,) = list_runs(ledger())

    def shown():
        console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
        console.print(Board(console, ledger(), run))
        text = console.file.getvalue()
        assert max(map(len, text.splitlines())) <= 80
        return re.findall(r"^(jobs|rows) .* (\d+)/(\d+) *$", text, re.MULTILINE)

    planned = run.request["expected"]
    (_, *jobs), (_, answered, rows) = shown()
    assert jobs == ["0", str(planned["jobs"])]
    assert (answered, rows) == ("0", str(planned["rows"]))
    assert qvlm("jobs", "resume", "last", *STORE).status == 0
    (_, done, known), (_, answered, rows) = shown()
    assert done == known
    assert answered == rows == str(ledger().count_rows())


@pytest.mark.slow
@pytest.mark.parametrize("terminal", [True, False])
def test_who_waits_is_told_why(terminal, qvlm, ledger, capfd):
    assert qvlm("submit", "run", *MACHINE, *STORE, "--detach").status == 0
    store = ledger()
    (run,) = list_runs(store)
    job = next(s for s in store.find() if not s.state.final)
    store.note(job.id, "no answer: GET …/usage: no connection")
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    board = Board(console, store, run)
    board.update([])
    board.update([])
    console.print(board)
    shown = console.file.getvalue() if terminal else capfd.readouterr().err
    assert shown.count("no answer: GET …/usage: no connection") == 1
    assert qvlm("jobs", "cancel", "last", *STORE).status == 0
