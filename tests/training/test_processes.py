import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.distributed import TCPStore

from qvlm_qiskit.basics.computer import processes
from qvlm_qiskit.cli import main
from qvlm_qiskit.errors import InputError, ProcessLostError
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions
from qvlm_qiskit.training.processes import (
    check_filled,
    check_shared,
    heeding_the_end,
    tell,
    together,
    wait,
)
from tests.data import miniatures

ROOT = Path(__file__).parents[2]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")


@pytest.fixture
def two(monkeypatch):
    """As the second of two processes sees it."""
    for name, value in {"WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_one_process_is_the_first_and_speaks():
    assert (processes.count(), processes.rank()) == (1, 0)
    assert processes.is_first() and processes.speaks()
    check_shared(TrainingOptions(accumulate=3))
    check_filled(1, TrainingOptions())
    with together():
        assert tell("where") == "where"
        wait()


def test_processes_share_whole_batches(two):
    assert not processes.is_first()
    check_shared(TrainingOptions(accumulate=4))
    with pytest.raises(InputError, match="--accumulate must be a multiple of 2, got 3"):
        check_shared(TrainingOptions(accumulate=3))
    with pytest.raises(InputError, match="2 processes share 2 batches of 64, and there are 127"):
        check_filled(127, TrainingOptions(accumulate=2))
    check_filled(128, TrainingOptions(accumulate=2))


def test_one_of_them_says_why_they_end(two, monkeypatch):
    store = TCPStore("localhost", 0, is_master=True)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    assert [processes.speaks() for _ in range(3)] == [True, False, False]
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert processes.speaks()


@pytest.fixture
def terminations():
    """How often this process was really asked to end, by the handler from before."""
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def a_failed_exchange():
    raise RuntimeError("[…/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]")


@pytest.mark.parametrize("told_by", [terminate, a_failed_exchange])
def test_what_is_told_twice_is_said_once(two, terminations, told_by, monkeypatch):
    """A request to end that comes while the error is on its way would end it without a word."""
    for patience, expected in ((60.0, []), (0.0, [signal.SIGTERM])):
        monkeypatch.setattr("qvlm_qiskit.training.processes.SAYING_SECONDS", patience)
        with pytest.raises(ProcessLostError, match="one of 2 processes has ended"):
            with heeding_the_end():
                told_by()
        terminate()
        assert terminations == expected
        signal.signal(signal.SIGTERM, lambda number, frame: terminations.append(number))


@pytest.mark.parametrize("error", [RuntimeError("shapes"), ValueError(), KeyboardInterrupt()])
def test_other_errors_leave_requests_to_end_as_they_were(two, terminations, error):
    with pytest.raises(type(error)):
        with heeding_the_end():
            raise error
    terminate()
    assert terminations == [signal.SIGTERM]


def test_an_error_is_said_where_nobody_keeps_who_has_spoken(two, monkeypatch, capsys):
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", 0.01)
    assert main(["train", "--out", "new", "--steps", "0"]) == 2
    assert capsys.readouterr().err == "qvlm: steps must be at least 1, got 0\n"


def qvlm(place, *words, start=("-m", "qvlm_qiskit")):
    """The command in processes of its own: exit status, and the lines that it says."""
    done = subprocess.run(
        [sys.executable, *start, *words],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, [line for line in done.stderr.splitlines() if line[:5] == "qvlm:"]


def difference(place, first, second):
    """The largest between two runs' weights."""
    ours, theirs = (load_file(place / p / "model" / "model.safetensors") for p in (first, second))
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


WORDS = ("train", "--data", "folder:data", "--recipe", "tiny", "--steps", "12", "--batch-size",
         "3", "--evaluate-every", "4", "--learning-rate", "0.01")  # fmt: skip
"""11 pictures of each class: an epoch ends before its last pictures have filled a step."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A folder with data, and with trainings of one process."""
    place = tmp_path_factory.mktemp("alone")
    miniatures.image_folder(place / "data", each=11, splits=("train", "val", "test"))
    for batches in ("2", "4"):
        assert qvlm(place, *WORDS, "--accumulate", batches, "--out", batches) == (0, [])
    return place


@pytest.mark.slow
@pytest.mark.parametrize(("batches", "most"), [("2", 0.0), ("4", 1e-5)])
def test_two_processes_train_as_one_that_accumulates(alone, batches, most):
    """To the last bit with a batch each; otherwise sums are in another order."""
    out = f"two-{batches}"
    start = (*TORCHRUN, "qvlm_qiskit")
    assert qvlm(alone, *WORDS, "--accumulate", batches, "--out", out, start=start) == (0, [])
    found = difference(alone, out, batches)
    print(f"{batches} batches of a step, 2 processes: {found:.1e}")
    assert found <= most
    one, two = (Run.open(alone / name) for name in (batches, out))
    assert one.history().keys() == two.history().keys()
    if most == 0:
        assert one.history() == two.history()
    assert sorted(p.name for p in one.path.iterdir()) == sorted(p.name for p in two.path.iterdir())


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_one_goes_on_alone(alone):
    out = "killed"
    words = (*WORDS, "--accumulate", "2", "--out", out)
    start = (*TORCHRUN, "tests.training.dying_process", "0", "6")
    status, said = qvlm(alone, *words, start=start)
    assert status != 0
    assert said == [
        "qvlm: one of 2 processes has ended, and the training with it: the same command goes on "
        "with --resume"
    ]
    assert not (alone / out).exists()
    assert qvlm(alone, *words, "--resume") == (0, [])
    assert difference(alone, out, "2") == 0
    assert not (alone / f"{out}.partial").exists()


@pytest.mark.slow
def test_what_was_begun_alone_goes_on_in_two_processes(alone):
    words = (*WORDS, "--accumulate", "2", "--out", "more")
    environment = {**os.environ, "RANK": "0"}
    subprocess.run(
        [sys.executable, "-m", "tests.training.dying_process", "0", "6", *words],
        cwd=alone, env={**environment, "PYTHONPATH": str(ROOT)}, check=False, capture_output=True,
    )  # fmt: skip
    assert (alone / "more.partial" / "checkpoints" / "checkpoint-4").is_dir()
    start = (*TORCHRUN, "qvlm_qiskit")
    assert qvlm(alone, *words, "--resume", start=start) == (0, [])
    assert difference(alone, "more", "2") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--accumulate", "2", "--data", "folder:nowhere"), "nowhere"),
        (("--accumulate", "2", "--learning-rate", "1e30"), "try a lower learning rate"),
    ],
)
def test_what_is_refused_is_said_once(alone, words, says):
    status, said = qvlm(alone, *WORDS, *words, "--out", "refused", start=(*TORCHRUN, "qvlm_qiskit"))
    assert status != 0
    assert len(said) == 1 and says in said[0]
    assert not (alone / "refused").exists()
