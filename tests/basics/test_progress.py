import io

import pytest
from rich.console import Console

from qvlm_qiskit.basics.progress import on_console, silent


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=False, width=100)


def test_only_the_end_of_a_bar_is_printed_where_there_is_no_terminal(console):
    with on_console(console)("training", 4) as report:
        for done in range(5):
            report(done)
    (line,) = [line for line in console.file.getvalue().splitlines() if line.strip()]
    assert "training" in line
    assert "4/4" in line


def test_the_last_note_stays_and_bars_come_one_after_the_other(console):
    track = on_console(console)
    with track("first", 2) as report:
        report(1, "loss 3.2")
        report(2)
    with track("second", 1) as report:
        report(0, "waiting")
        report(1, "done")
    first, second = [line for line in console.file.getvalue().splitlines() if line.strip()]
    assert "first" in first and "2/2" in first and "loss 3.2" in first
    assert "second" in second and "done" in second and "waiting" not in second


def test_an_error_in_the_work_goes_through_the_bar(console):
    with pytest.raises(ZeroDivisionError), on_console(console)("work", 3) as report:
        report(1)
        raise ZeroDivisionError
    assert "1/3" in console.file.getvalue()


def test_silent_work_prints_nothing(capfd):
    with silent("training", 2) as report:
        report(1)
        report(2, "note")
    assert capfd.readouterr() == ("", "")
