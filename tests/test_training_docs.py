"""docs/training.md: its Python runs, and its commands are ones that `qvlm train` takes."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from qvlm_qiskit.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_its_python_runs(capsys):
    for block in blocks("python"):
        if not block.startswith("# distributed.py"):
            exec(compile(block, "docs/training.md", "exec"), {})
    said = capsys.readouterr().out
    assert re.fullmatch(r"\d+ % of the derivatives were below their error\n", said)


@pytest.mark.slow
def test_its_commands_are_ones_that_train_takes(monkeypatch, tmp_path):
    """Each line with one step of the smallest training set."""
    monkeypatch.chdir(tmp_path)
    (lines,) = (block.splitlines() for block in blocks("sh"))
    assert len(lines) == 3
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "qvlm"
        smallest = ["--steps", "1", "--batch-size", "2", "--train-samples", "8"]
        assert main([*words, *smallest]) == 0, line


@pytest.mark.slow
def test_two_processes_train_as_one_that_accumulates(tmp_path):
    (script,) = (block for block in blocks("python") if block.startswith("# distributed.py"))
    (tmp_path / "distributed.py").write_text(script, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    found = {}
    for way, start in (("accumulate", ()), ("ddp", torchrun), ("fsdp", torchrun)):
        command = [sys.executable, *start, "distributed.py", way, f"{way}.pt"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[way] = torch.load(tmp_path / f"{way}.pt")
    alone = found.pop("accumulate")
    for way, weights in found.items():
        assert weights.keys() == alone.keys()
        assert all(torch.equal(weights[name], alone[name]) for name in alone), way
