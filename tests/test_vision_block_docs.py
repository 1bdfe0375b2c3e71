"""docs/vision-block.md: its table, its counts and its code."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from qvlm_qiskit.blocks import ENCODINGS
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.studies.compare.options import CompareOptions
from tests.scripts import load

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "vision-block.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks/results/vision_block.json").read_text(encoding="utf-8"))


def module(folder, name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / folder)
    return load(ROOT / folder / f"{name}.py")


def test_the_table_is_the_benchmarks(monkeypatch):
    made = module("docs", "make_vision_block_table", monkeypatch)
    assert made.page(PAGE, RESULTS) == PAGE, "run make docs"


def test_what_was_counted_is_what_the_blocks_have(monkeypatch):
    benchmark = module("benchmarks", "vision_block", monkeypatch)
    assert {row["form"]["encoding"] for row in RESULTS["rows"]} == set(ENCODINGS)
    for row in RESULTS["rows"]:
        facts = benchmark.facts(row["num_qubits"], row["form"], row["width"])
        assert facts == {key: row[key] for key in facts}


@pytest.mark.parametrize("n", [4, 12])
def test_the_counts_of_the_page_are_right(n):
    features = {"amplitude": 2**n, "angle": n, "re-upload": n, "mps": 4 * n - 5}
    lines = re.findall(r"^\| `([\w-]+)` \| (\S+(?: − \d)?) \|", PAGE, re.MULTILINE)
    said = {"2ⁿ": 2**n, "n": n, "4n − 5": 4 * n - 5}
    assert {name: said[text] for name, text in lines} == features
    for name, number in features.items():
        assert CoreShape(n, 2, encoding=name).features == number


def test_the_commands_can_be_given():
    shown = re.search(r"```bash\n(.*?)```", PAGE, re.DOTALL)[1].replace("\\\n", " ")
    train, twin, study = (shlex.split(line) for line in shown.splitlines())
    for words in (train, twin):
        assert TrainingOptions(vision_block=words[words.index("--vision-block") + 1])
    variants = study[study.index("--variants") + 1].split(";")
    assert len(CompareOptions(variants=tuple(variants)).variants) == 3


def test_the_code_runs():
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], {})


def test_the_benchmark_measures_and_stores(tmp_path):
    path = tmp_path / "vision_block.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "vision_block.py"), "--smoke"]
    done = subprocess.run(
        [*command, "--json", str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(path.read_text("utf-8"))["rows"]
    assert all(row["quantum_ms"] > 0 and row["classical_ms"] > 0 for row in rows)
    assert max(map(len, done.stdout.splitlines())) <= 100
