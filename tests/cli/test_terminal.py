"""Terminals that lack something, and machines that refuse something."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from qvlm_qiskit.cli import main
from qvlm_qiskit.cli.common import print_json, say
from qvlm_qiskit.cli.main import COMMANDS
from qvlm_qiskit.cli.terminal import PLAIN, prepare_terminal
from tests.parameters import first_by_default


@pytest.fixture
def command(process, place):
    """Runs a command line in a process with other variables or another stdout."""

    def run(*words, stdout=subprocess.PIPE, **variables):
        found = subprocess.run(
            [sys.executable, "-m", "qvlm_qiskit", *words],
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=place,
            env={**process.environment, **variables},
            timeout=120,
        )
        return found.returncode, found.stdout, found.stderr.decode()

    return run


def one_line(error):
    assert error.startswith("qvlm: ")
    assert error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("words", [("backends",), ("backends", "--json"), ("--help",)])
def test_a_full_disk_is_one_line(command, words):
    with Path("/dev/full").open("wb") as full:
        status, _, error = command(*words, stdout=full)
    assert status == 2
    assert "can't write the output: No space left on device" in one_line(error)


def test_a_line_with_other_letters_is_written_in_those_of_the_terminal(monkeypatch, capsys):
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", written)
    prepare_terminal()
    say("Σ shots · 2 µs")
    print_json({"ω": "é"})
    assert written.buffer.getvalue() == b'sum shots * 2 us\n{\n  "\\u03c9": "\\u00e9"\n}\n'


def test_a_terminal_of_ascii_letters_is_written_to_in_them(command):
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    for words in (("backends",), ("backends", "--json"), ("train", "--out", "x", "--seed", "-1")):
        status, out, error = command(*words, **ascii_only)
        assert status == (2 if words[0] == "train" else 0)
        assert (out + error.encode()).isascii()
        assert out or one_line(error)


@pytest.mark.parametrize("columns", first_by_default("wide", "0", "-3", ""))
def test_a_width_that_is_none_is_not_believed(command, columns):
    status, out, error = command("backends", COLUMNS=columns, LINES=columns)
    assert (status, error) == (0, "")
    assert b"statevector" in out


@pytest.mark.parametrize(("value", "status"), [("1", 2), ("0", 0), ("", 0)])
def test_kernels_that_may_not_be_compiled_are_refused_at_once(monkeypatch, capfd, value, status):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    assert main(["--version"]) == status
    error = capfd.readouterr().err
    assert ("unset NUMBA_DISABLE_JIT" in error) == (status == 2)


def test_plain_letters_are_ascii():
    assert all(text.isascii() for text in PLAIN.values())
    prepare_terminal()
    assert "± 1 … é".encode("ascii", "qvlm_plain") == b"+- 1 ... ?"


@pytest.mark.parametrize("name", ["", *COMMANDS, "jobs show", "backends show", "study noise"])
def test_the_short_option_shows_the_help_too(qvlm, name):
    short, long = qvlm(*name.split(), "-h"), qvlm(*name.split(), "--help")
    assert (short.status, short.out) == (0, long.out)
    assert "-h, --help" in short.out


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "Permission denied", "there/report.html"), "there/report.html: Perm"),
        (OSError(30, "Read-only file system", "there"), "there: Read-only file system"),
        (MemoryError(), "memory is not enough"),
        (RuntimeError("[enforce] DefaultCPUAllocator: not enough memory: you tried"), "memory is"),
    ],
)
def test_what_the_machine_refuses_is_one_line(monkeypatch, qvlm, error, says):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("qvlm_qiskit.runs.Run.open", fail)
    found = qvlm("evaluate", "run")
    assert found.status == 2
    assert says in one_line(found.err)


def test_an_interrupted_training_says_how_to_go_on(monkeypatch, qvlm, place):
    def interrupt(options, out, **_):
        if options.steps == 3:
            checkpoint = out.with_name("new.partial") / "checkpoints" / "checkpoint-250"
            checkpoint.mkdir(parents=True)
            save_file({"weight": np.zeros(1)}, checkpoint / "model.safetensors")
            for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
                torch.save({}, checkpoint / name)
            (checkpoint / "trainer_state.json").write_text('{"global_step": 250}')
            (out.with_name("new.partial") / "options.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr("qvlm_qiskit.training.train", interrupt)
    found = qvlm("train", "--out", "new", "--steps", "2")
    assert (found.status, "nothing is kept yet" in found.err) == (130, True)
    found = qvlm("train", "--out", "new", "--steps", "3")
    assert found.status == 130
    assert "250 steps are kept: the same command goes on from there with --resume" in found.err
    found = qvlm("train", "--out", "new", "--steps", "3")
    assert found.status == 2
    assert "--resume" in one_line(found.err)


def test_the_cores_of_this_machine_are_the_most_threads(refused):
    most = os.cpu_count()
    for count in (most + 1, 10**9, 10**30):
        line = refused("evaluate", "run", "--threads", count)
        assert f"threads must be at most {most}" in line
