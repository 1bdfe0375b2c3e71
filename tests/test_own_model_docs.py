"""docs/own-model.md: its class is the file beside it, and its commands are run in their order."""

import re
import shlex
import sys

import pytest

from qvlm_qiskit.cli import main
from qvlm_qiskit.models import Classifier, OwnModel
from tests.models.colours import EXAMPLE, colour_folder

PAGE = (EXAMPLE.parent / "own-model.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_class_is_that_of_the_file_and_short():
    text = EXAMPLE.read_text(encoding="utf-8")
    assert blocks("python")[0] == text
    assert text.count("\n") <= 40


def test_the_table_names_what_a_model_has():
    named = re.findall(r"^\| `(\w+)", PAGE, flags=re.MULTILINE)
    assert all(hasattr(OwnModel, name) for name in named)
    assert OwnModel.__abstractmethods__ < set(named)
    assert Classifier.__abstractmethods__ == {"inputs"}


@pytest.mark.slow
def test_its_commands_lead_to_a_submitted_job(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    colour_folder(tmp_path / "colours")
    (tmp_path / EXAMPLE.name).write_text(EXAMPLE.read_text())
    commands = re.findall(r"^qvlm .*$", PAGE, flags=re.MULTILINE)
    assert len(commands) == 11
    said = []
    for command in commands:
        program, *words = shlex.split(command)
        capfd.readouterr()
        status = main(words)
        out, err = capfd.readouterr()
        assert (program, status) == ("qvlm", 0), f"{command}: {err}"
        said.append(out)
    assert "100" in said[1] or "9" in said[1]
    assert said[3] == "blue\n"
    assert "jobs" in said[6]
    for example in blocks("python")[1:]:
        exec(compile(example, "own-model.md", "exec"), {})
    assert capfd.readouterr().out == "True\n4\n"
    assert main(["evaluate", "runs/by-hand", "--limit", "4"]) == 0
    sys.modules.pop(EXAMPLE.stem)
