"""docs/training.md: its Python runs, and its commands are ones that `qvlm train` takes."""

import re
import shlex
from pathlib import Path

import pytest

from qvlm_qiskit.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_its_python_runs(capsys):
    for block in blocks("python"):
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
