"""``benchmarks/ledger.py`` runs, and its table fits a terminal of 80 columns."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "ledger.py"


@pytest.fixture
def benchmark():
    spec = importlib.util.spec_from_file_location("ledger_benchmark", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
def test_a_small_ledger_is_measured(benchmark, tmp_path, capsys):
    benchmark.main(
        ["--rows", "300", "--calls", "1", "--verified", "100", "--out", str(tmp_path / "out")]
    )
    text = (tmp_path / "out").read_text("utf-8")
    assert text.splitlines() == capsys.readouterr().out.splitlines()
    assert max(map(len, text.splitlines())) <= 80
    assert any(line.split()[:1] == ["300"] for line in text.splitlines())
    assert "verify:" in text
