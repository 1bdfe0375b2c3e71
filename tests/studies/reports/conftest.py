import json

import pytest

from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies import render_report
from tests.studies.reports.page import Page


@pytest.fixture(scope="module")
def page(demo):
    return Page((demo[0] / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def results(demo):
    return json.loads((demo[0] / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def render(demo):
    """Renders changed results with the demo's history and samples."""
    history = Run.open(demo[0]).history()
    samples = list(DigitCanvases("test", 20, 0))
    return lambda changed: render_report(changed, history, samples)
