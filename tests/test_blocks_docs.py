"""docs/blocks.md: a section for every model of the zoo, with its sizes; code and benchmark run."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from qvlm_qiskit.blocks.zoo import build, zoo_names
from qvlm_qiskit.data import open_data
from qvlm_qiskit.recipes import TrainingOptions

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "blocks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n\n(.*?)(?=^## |\Z)", PAGE, flags=re.M | re.S))


def counted(number, what):
    return f"{number:,} {what if number == 1 else what + 's'}"


def sizes_of(name):
    """What a section begins with."""
    sizes = build(name).sizes
    taken, given = (
        ", ".join("any" if side is None else str(side) for side in shape)
        for shape in (sizes.inputs, sizes.outputs)
    )
    rows = f"{counted(sizes.rows, 'row')} a sample"
    if sizes.shared_rows:
        rows += f", {counted(sizes.shared_rows, 'row')} a call"
    return f"({taken}) → ({given}); {counted(sizes.parameters, 'number')}; {rows}."


def test_every_model_has_a_section():
    assert set(SECTIONS) == set(zoo_names())


@pytest.mark.parametrize("name", zoo_names())
def test_its_sizes_and_source_are_said(name):
    said, *rest = SECTIONS[name].split("\n")
    assert said == sizes_of(name)
    assert re.search(r"\[arXiv:(\d{4}\.\d{5})\]\(https://arxiv.org/abs/\1\)", "\n".join(rest))


def test_its_python_runs(capsys):
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    exec(compile(example, "docs/blocks.md", "exec"), {})
    assert capsys.readouterr().out == "torch.Size([32, 4]) 400 40\n"


def test_its_commands_name_blocks():
    chosen = re.findall(r"--vision-block '(.*?)'", PAGE)
    assert chosen
    for block in chosen:
        assert TrainingOptions(vision_block=block)


def test_its_studies_are_commands():
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    studies = re.findall(r"^qvlm study (\w+) (.*)$", PAGE, flags=re.M)
    assert {"blocks", "denoise"} <= {name for name, _ in studies}
    for name, words in studies:
        known = reference.partition(f"\n## `qvlm study {name}`\n")[2].partition("\n## ")[0]
        said = {word for word in shlex.split(words) if word.startswith("--")}
        assert said <= set(re.findall(r"--[a-z-]+", known))


def test_the_table_of_word_orders_is_made_of_captions(tmp_path):
    captions = [
        {"image_id": picture, "caption": f"A cat, number {picture}, sits on\ta {thing}. It waits!"}
        for picture in range(60)
        for thing in ("mat", "chair")
    ]
    captions += [{"image_id": 60, "caption": "No no no"}]
    source = tmp_path / "captions.json"
    source.write_text(json.dumps({"annotations": captions}))
    script = ROOT / "docs" / "word_order.py"
    subprocess.run([sys.executable, script, source, tmp_path / "order"], check=True)
    splits = {
        split: list(open_data(f"table:{tmp_path / 'order' / 'order.jsonl'}", split))
        for split in ("train", "test")
    }
    every = [sample for samples in splits.values() for sample in samples]
    assert len(every) == 121 and 40 < sum(one.answer == "yes" for one in every) < 80
    own = {
        f"a cat number {picture} sits on a {thing}"
        for picture in range(60)
        for thing in ("mat", "chair")
    }
    own |= {"no no no"}
    assert {" ".join(sorted(one.question.split())) for one in every} == {
        " ".join(sorted(text.split())) for text in own
    }
    assert all((one.question in own) is (one.answer == "yes") for one in every)
    pictures = [set(re.findall(r"\d+", " ".join(s.question for s in found)))
                for found in splits.values()]  # fmt: skip
    assert pictures[0].isdisjoint(pictures[1]) and len(pictures[1]) > 3


def test_the_benchmark_has_a_line_for_every_model(tmp_path):
    path = tmp_path / "blocks.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "blocks.py"), "--smoke"]
    found = subprocess.run(
        [*command, "--json", str(path)], capture_output=True, text=True, check=True
    )
    rows = json.loads(path.read_text("utf-8"))["rows"]
    assert [row["name"] for row in rows] == zoo_names()
    assert [line.split()[0] for line in found.stdout.splitlines()[1:]] == zoo_names()
    for row in rows:
        assert row["parameters"] == build(row["name"]).sizes.parameters
