"""Processes that work for a study end with it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.studies.registry import find_study
from qvlm_qiskit.studies.workers import TERMINATED, StudyError, Workers

SLOW = """
import os, time
from acme_qvlm import coins


class Slow(coins.Coins):
    def compute(self, cell):
        if cell.seed and not (self.folder.parent / "quick").exists():
            (self.folder.parent / f"pid-{os.getpid()}").touch()
            time.sleep(3600)
        return super().compute(cell)
"""
RUN = """
import sys
from pathlib import Path

from qvlm_qiskit.studies.grid_study import Execution, run_study

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from acme_qvlm import coins
    import slow

    study = slow.Slow(coins.Options(chances=(0.5,)), Path(sys.argv[2]) / "s")
    run_study(study, Execution(processes=2))
"""
LIMIT = 60
"""Seconds for what takes one or two, and would take an hour otherwise."""


class OfTwoError(Exception):
    """Can't be read again from a pickle."""

    def __init__(self, what, where):
        super().__init__(f"no {what} in {where}")


def raise_of_two():
    raise OfTwoError("qubit", "the\ncircuit")


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for(true):
    until = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_study_that_is_killed_leaves_no_process_and_goes_on(coins, tmp_path, how):
    site = tmp_path / "site"
    (site / "slow.py").write_text(SLOW)
    (tmp_path / "run.py").write_text(RUN)
    command = [sys.executable, str(tmp_path / "run.py"), str(site), str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        try:
            both = lambda: len(list(tmp_path.glob("pid-*"))) == 2  # noqa: E731
            wait_for(lambda: started.poll() is not None or both())
        finally:
            started.send_signal(how)
        said = started.communicate(timeout=LIMIT)[1]
    for path in tmp_path.glob("pid-*"):
        wait_for(lambda pid=int(path.name[4:]): gone(pid))
    if how == signal.SIGTERM:
        assert (started.returncode, said) == (TERMINATED, "")
    lines = (tmp_path / "s" / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [0]
    (tmp_path / "quick").touch()
    sys.modules.pop("slow", None)
    import slow

    options = coins.Options(chances=(0.5,))
    found = run_study(slow.Slow(options, tmp_path / "s"))
    whole = run_study(coins.Coins(options, tmp_path / "whole"))
    assert [row["heads"] for row in found["rows"]] == [row["heads"] for row in whole["rows"]]
    assert json.loads(lines[0]) == found["rows"][0]


def test_one_process_makes_calls_in_turn_and_leaves_signals_alone():
    before, found = signal.getsignal(signal.SIGTERM), []
    with Workers(1) as workers:
        workers.run([(pow, 2, 3), (pow, 3, 2)], lambda *one: found.append(one))
        assert signal.getsignal(signal.SIGTERM) == before
    assert found == [(8, 1), (9, 2)]


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        ((find_study, "kernel"), UnknownNameError, "unknown study 'kernel'"),
        ((raise_of_two,), StudyError, "^OfTwoError: no qubit in the circuit$"),
    ],
    ids=["ours", "unreadable"],
)
def test_what_a_call_raises_in_another_process_is_said(call, kind, said):
    with pytest.raises(kind, match=said), Workers(2) as workers:
        workers.run([call], lambda *one: None)
