"""What only a process of its own shows: the exit status, signals, pipes, and what is imported."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qvlm_qiskit import __version__

HEAVY = ("torch", "transformers", "qiskit", "qiskit_aer", "sklearn", "matplotlib")


def one_line(found):
    assert found.status == 2
    assert found.out == ""
    assert found.err.startswith("qvlm: ")
    assert found.err.count("\n") == 1, found.err


@pytest.mark.slow
def test_the_module_and_the_console_script_are_the_same(process):
    for words in (("--version",), ("--help",), ("nonsense",)):
        assert process(*words) == process(*words, script=True)
    assert process("--version").out == f"qvlm {__version__}\n"


@pytest.mark.parametrize(
    "script", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["module", "script"]
)
def test_a_mistake_is_one_line_and_status_2(process, tree, place, script):
    before = tree(place)
    one_line(process("evaluate", script=script))
    one_line(process("backends", "show", "nonsense", script=script))
    assert tree(place) == before


@pytest.mark.slow
def test_results_go_to_stdout_and_progress_to_stderr(process):
    found = process("evaluate", "run", "--limit", "2", "--backend", "aer", "--json", script=True)
    assert found.status == 0, found.err
    assert json.loads(found.out)["total"] == 2
    assert "2/2" in found.err
    assert "{" not in found.err


def test_help_and_version_load_nothing_heavy():
    script = (
        "import sys; from qvlm_qiskit.cli import main; main(['--help']); main(['--version']);"
        f"print([n for n in {HEAVY!r} if n in sys.modules], file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stderr == "[]\n"


def test_a_reader_that_goes_away_is_no_error(process, place):
    writer = subprocess.Popen(
        [sys.executable, "-m", "qvlm_qiskit", "backends"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=place,
        env=process.environment,
    )
    writer.stdout.close()
    _, err = writer.communicate(timeout=120)
    assert (writer.returncode, err) == (0, "")


@pytest.mark.slow
def test_ctrl_c_stops_a_training_and_keeps_what_can_be_resumed(begin, place):
    words = ("train", "--out", "new", "--recipe", "tiny", "--steps", "100000")
    training = begin(*words, "--train-samples", "16")
    partial = Path(place / "new.partial")
    deadline = time.monotonic() + 60
    while not (partial / "options.json").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=60)
    assert training.returncode == 130
    assert out == ""
    assert err.splitlines()[-1:] == ["qvlm: interrupted"]
    assert "Traceback" not in err
    assert not (place / "new").exists()
    assert partial.exists()
