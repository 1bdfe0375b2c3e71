import functools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image

from qvlm_qiskit.cli import main
from qvlm_qiskit.jobs import JobStore
from tests.cli.small_runs import local_processes
from tests.runtime_server import RuntimeServer


@dataclass(frozen=True)
class Outcome:
    """What a command left: its status and what it wrote where."""

    status: int
    out: str
    err: str


@pytest.fixture
def place(tiny_run, tmp_path, monkeypatch):
    """A working folder: a link to a trained run, images, and files that are none of both."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    Path("run").symlink_to(tiny_run.path)
    Path("folder").mkdir()
    Path("file").write_text("text", encoding="utf-8")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("image.png")
    content = Path("image.png").read_bytes()
    for name, part in {
        "empty.png": b"",
        "header.png": content[:20],
        "truncated.png": content[: len(content) // 2],
        "text.png": b"this is no image",
        "damaged.png": content[:60] + b"\0" * 40 + content[100:],
    }.items():
        Path(name).write_bytes(part)
    return tmp_path


get_command = functools.cache(typer.main.get_command)
"""The commands are made of their functions once, and not for every line: 50 ms."""


@pytest.fixture
def qvlm(place, capfd, monkeypatch):
    """Runs a command line in this process: what ``qvlm`` with these words does."""

    def run(*words):
        capfd.readouterr()
        status = main([str(word) for word in words])
        return Outcome(status, *capfd.readouterr())

    threads = torch.get_num_threads()
    monkeypatch.setattr(typer.main, "get_command", get_command)
    yield run
    torch.set_num_threads(threads)


@pytest.fixture
def refused(qvlm, place, tree):
    """Runs a command line that must be refused, and returns its one line without "qvlm: "."""

    def run(*words):
        before = tree(place)
        found = qvlm(*words)
        assert found.status == 2
        assert found.out == ""
        assert found.err.startswith("qvlm: ")
        assert found.err.endswith("\n")
        assert found.err.count("\n") == 1, found.err
        assert "Traceback" not in found.err
        assert tree(place) == before
        return found.err.removeprefix("qvlm: ").strip()

    return run


@pytest.fixture
def process(place):
    """Runs a command line in a process of its own, by module or by console script."""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}

    def run(*words, script=False, **options):
        module = [sys.executable, "-m", "qvlm_qiskit"]
        command = [str(Path(sys.executable).with_name("qvlm"))] if script else module
        found = subprocess.run(
            [*command, *(str(word) for word in words)],
            capture_output=True,
            text=True,
            cwd=place,
            env=environment,
            timeout=600,
            **options,
        )
        return Outcome(found.returncode, found.stdout, found.stderr)

    run.environment = environment
    return run


@pytest.fixture
def begin(process, place):
    """Starts a command in a process of its own, which Ctrl-C can reach; ended with the test."""
    started = []

    def start(*words):
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "qvlm_qiskit", *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=place,
                env=process.environment,
                # A shell's background jobs ignore the signal, and what they start inherits that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture
def ledger(place):
    """Opens the ledger of the commands; what still runs in the end is stopped."""
    opened = []

    def read():
        opened.append(JobStore(place / "ledger", create=False))
        return opened[-1]

    yield read
    for store in opened:
        store.close()
    for number in local_processes(place):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setattr("qvlm_qiskit.jobs.worker.pacing.WINDOW_SECONDS", 0.01)
    monkeypatch.setenv("QVLM_STORE", str(tmp_path / "jobs"))
    with RuntimeServer(["fake_manila"], instant=True) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
