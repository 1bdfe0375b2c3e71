"""docs/circuits.md: its blocks run, each by itself, and print the shapes that they speak of."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "circuits.md").read_text(encoding="utf-8")
LINKS = "Blocks of the literature in thirty lines"  # to files that test_examples.py runs
SECTIONS = [
    (title, text)
    for title, text in re.findall(
        r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL
    )
    if title != LINKS
]
SHAPES = {
    "Probabilities": "[5, 2]",
    "States and fidelities": "[6, 8] [6, 6]",
    "Weights for groups, and for every sample": "[8, 4, 1] [8, 1]",
    "Exponentials of Hamiltonians": "[5, 2]",
    "Measurements in the middle": "[5, 1]",
    "Wires that are cut": "[5, 8]",
    "More qubits than a state holds": "[3, 100]",
}


def test_every_section_is_run():
    assert [title for title, _ in SECTIONS] == list(SHAPES)


@pytest.mark.parametrize(("title", "text"), SECTIONS, ids=list(SHAPES))
def test_its_python_runs(title, text, capsys):
    (example,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    exec(compile(example, "docs/circuits.md", "exec"), {})
    printed = re.sub(r"torch\.Size\((.*?)\)", r"\1", capsys.readouterr().out)
    assert printed.split("\n")[:-1] == re.findall(r"\[.*?\]", SHAPES[title])
