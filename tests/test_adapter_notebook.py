"""docs/adapter.ipynb: what it shows was printed by its cells, which are run here in their order."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "docs" / "adapter.ipynb"
NOTEBOOK = json.loads(FILE.read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
RUNNER = """
import ast, contextlib, io, json, sys

names, shown = {}, []
for cell in json.load(sys.stdin):
    *body, last = ast.parse(cell).body
    with contextlib.redirect_stdout(io.StringIO()) as said:
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
            if value is not None:
                print(repr(value))
        else:
            exec(compile(ast.Module([*body, last], []), "<cell>", "exec"), names)
    shown.append(said.getvalue())
json.dump(shown, open("shown.json", "w"))
"""


def text(cell):
    """What a cell printed, and the value of its last line."""
    found = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            found += output["text"]
        elif output["output_type"] == "execute_result":
            found += [*output["data"]["text/plain"], "\n"]
    return "".join(found)


def numberless(lines):
    """Without losses and shares of right answers, which other processors may round otherwise."""
    return re.sub(r"loss [0-9.]+|captions: [0-9]+%|'", "", lines)


def test_it_was_run_from_its_first_cell_to_its_last_without_a_complaint():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert {o["output_type"] for o in outputs} == {"stream", "execute_result", "display_data"}
    assert not [o for o in outputs if o.get("name") == "stderr"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not re.search(r"/(home|tmp|root|work)/", FILE.read_text(encoding="utf-8"))


def test_its_links_lead_somewhere_and_it_is_linked():
    words = "".join("".join(c["source"]) for c in NOTEBOOK["cells"] if c["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", words)
    assert len(links) == 3
    assert all((FILE.parent / link).is_file() for link in links)
    assert "(adapter.ipynb)" in (FILE.parent / "adapter.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_cells_print_what_it_shows(tmp_path):
    environment = {**os.environ, "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER], input=json.dumps(["".join(c["source"]) for c in CODE]),
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    shown = json.loads((tmp_path / "shown.json").read_text())
    for number, (found, cell) in enumerate(zip(shown, CODE, strict=True)):
        if "model.run_on" not in "".join(cell["source"]):  # sampled captions
            assert numberless(found) == numberless(text(cell)), number
    right = [int(share) for share in re.findall(r"captions: ([0-9]+)%", "".join(shown))]
    assert len(right) == 2
    assert min(right) >= 75, "chance is 25%"
    stored = (tmp_path / "adapter-example" / "run" / "model").iterdir()
    assert sum(file.stat().st_size for file in stored) < 50_000
