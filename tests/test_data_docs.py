"""docs/data.md: its format runs, its commands are taken, its tables are the code's."""

import re
from pathlib import Path

from qvlm_qiskit.data.reading.columns import OPTIONS, USUAL
from qvlm_qiskit.recipes import DATA_SETS
from tests.conftest import forgetting

PAGE = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")


def rows_of(heading):
    """The cells of the table below a heading."""
    table = PAGE.partition(heading)[2].partition("|---")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[1:]]


def test_its_python_runs(capsys):
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    for example in examples:
        with forgetting(DATA_SETS):
            exec(compile(example, "docs/data.md", "exec"), {})
    assert capsys.readouterr().out == "torch.Size([4, 10])\n['0']\nred\n"


def test_every_data_set_is_listed():
    listed = [re.match(r"`([\w-]+)", cells[0])[1] for cells in rows_of("# Your own data")]
    assert sorted(listed) == sorted(DATA_SETS.own)


def test_every_column_is_listed_with_its_usual_names():
    listed = {
        key.strip("`"): re.findall(r"`(\w+)`", names) for key, _, names in rows_of("## Columns")
    }
    assert listed == {what: list(names) for what, names in USUAL.items()}
    assert set(OPTIONS) - set(listed) == {"ask"}


def test_its_commands_are_taken():
    reference = (Path(__file__).parents[1] / "docs" / "cli.md").read_text(encoding="utf-8")
    commands = re.findall(r"^qvlm (\w+) (.*)$", PAGE, flags=re.MULTILINE)
    assert [name for name, _ in commands] == ["train", "evaluate", "evaluate"]
    for name, words in commands:
        known = reference.partition(f"\n## `qvlm {name}`\n")[2].partition("\n## ")[0]
        assert set(re.findall(r"--[a-z-]+", words)) <= set(re.findall(r"--[a-z-]+", known))
