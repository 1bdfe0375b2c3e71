import runpy
import sys

import pytest

from qvlm_qiskit.cli import main


@pytest.mark.parametrize("words", [["--version"], ["nonsense"], ["backends", "--nonsense"]])
def test_the_module_ends_as_the_command_does(words, monkeypatch, capfd):
    status, said = main(words), capfd.readouterr()
    monkeypatch.setattr(sys, "argv", ["qvlm", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("qvlm_qiskit", run_name="__main__")
    assert ended.value.code == status
    assert capfd.readouterr() == said
