"""docs/hybrid-qvlm.md: its numbers are the recipes', its files and options exist, its code runs."""

import re
from pathlib import Path

import pytest
import torch

from qvlm_qiskit.cli.training.recipe import Recipe
from qvlm_qiskit.model import RECIPES, HybridVLM, HybridVLMConfig

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "hybrid-qvlm.md").read_text(encoding="utf-8")


def rows(header):
    """The cells of a table of the page, without marks of code."""
    lines = PAGE[PAGE.index(f"| {header} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("row", rows("recipe"), ids=lambda row: row[0])
def test_sizes_are_the_recipes(row):
    name, parameters, qubits, streams, experts, _ = row
    sizes = RECIPES[name]
    vocabulary = 50_262 if name == "paper" else 64
    with torch.device("meta"):
        model = HybridVLM(HybridVLMConfig.recipe(name, vocab_size=vocabulary))
    count = sum(p.numel() for p in model.parameters())
    number, unit = parameters.split()
    factor = {"thousand": 1e3, "million": 1e6}[unit]
    assert float(number) == pytest.approx(count / factor, rel=0.05)
    places = [sizes["blocks"][place]["num_qubits"] for place in ("vision", "text")]
    assert qubits == ", ".join(map(str, places))
    assert int(streams) == sizes["text"].get("hc_mult", 1)
    assert int(experts) == sizes["text"]["n_routed_experts"]


def test_files_and_options_exist():
    files = [row[1] for row in rows("part")]
    assert len(files) == 7
    assert all((ROOT / "qvlm_qiskit" / file).is_file() for file in files)
    named = {o.lstrip("-").replace("-", "_") for o in re.findall(r"--[a-z-]+", str(rows("option")))}
    assert named <= set(Recipe.__dataclass_fields__)


def test_its_code_prints_what_it_says(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    exec(compile(code, "hybrid-qvlm.md", "exec"), {})
    said = re.findall(r"#  ?(.+)$", code, flags=re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said
