"""docs/kernels.md: its blocks run, each by itself, and what they print is so."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "kernels.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
PRINTED = [
    r"\(40, 40\)\n(0\.[6-9]|1\.0)",
    r"15\nTrue\n\(6, 6\)",
    "True",
    r"True\n\[\[0, 2\], \[1, 2\]\]",
]


@pytest.mark.parametrize(
    ("example", "expected"), list(zip(EXAMPLES, PRINTED, strict=True)), ids=range(len(PRINTED))
)
def test_its_python_runs(example, expected, capsys):
    exec(compile(example, "docs/kernels.md", "exec"), {})
    assert re.fullmatch(expected, capsys.readouterr().out.strip())
