"""docs/metrics.md names every metric, and its example runs."""

import re
from pathlib import Path

from qvlm_qiskit.evaluation.metrics import Measurement
from qvlm_qiskit.recipes import METRICS

PAGE = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_every_metric_has_a_row():
    assert sorted(re.findall(r"^\| `(\w[\w-]*)` \|", PAGE, re.M)) == sorted(METRICS.own)


def test_the_example_runs(capsys):
    names = {}
    exec(compile(re.search(r"```python\n(.*?)```", PAGE, re.S)[1], "metrics.md", "exec"), names)
    found = names["found"]
    assert isinstance(found, Measurement)
    assert found["ROUGE-L"].per_sample[1] > found["ROUGE-L"].per_sample[0] > 0
    assert "port of Stanford's PTBTokenizer" in capsys.readouterr().out
