"""A study of a demo's model becomes a section of the demo's report."""

import json
import re
import shutil

import pytest

from qvlm_qiskit.errors import RunFolderError
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.demo.demo_report import DemoReport
from qvlm_qiskit.studies.noise import run_noise_study
from qvlm_qiskit.studies.noise.grid import NoiseGrid
from qvlm_qiskit.studies.reports.templates import interval

GRID = NoiseGrid(("noisy:fake_manila",), strengths=(0.0, 3.0), questions=3, rows=2, shots=(20,))


@pytest.fixture
def copied(demo, tmp_path):
    """A copy of a finished demo that a test may change."""
    return shutil.copytree(demo[0], tmp_path / "run")


@pytest.fixture(scope="module")
def study(demo, tmp_path_factory):
    """The results of a study of the demo's model."""
    return run_noise_study(GRID, [demo[0]], tmp_path_factory.mktemp("study") / "s")


@pytest.mark.slow
def test_the_section_has_the_plots_and_tables_of_the_study(copied, study, tree):
    before = tree(copied)
    text = (copied / "report.html").read_text("utf-8")
    page = DemoReport.find(Run.open(copied)).with_study(study).write()
    assert page == copied / "report.html"
    after = tree(copied)
    assert {name for name in after if after[name] != before.get(name)} == {
        "report.html",
        "noise_study.json",
    }
    kept = json.loads((copied / "noise_study.json").read_text("utf-8"))
    assert kept == json.loads(json.dumps(study))
    added = page.read_text("utf-8")
    assert added.count("<svg") == text.count("<svg") + 3
    head, _, section = added.partition("<h2>Study of noise")
    section = section.partition("<h2>")[0]
    for point in study["points"]:
        words = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", section))
        shown = interval(point["accuracy"], 100, "%")
        assert "one seed, over questions" in shown
        assert shown in words
        assert point["strength"] is None or f"× {point['strength']:g}" in words
    assert head == text.partition("<h2>Inference")[0]
    assert added.partition("<h2>Inference")[2] == text.partition("<h2>Inference")[2]


def test_a_run_without_a_report_gets_none(tiny_run):
    assert DemoReport.find(tiny_run) is None


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda results: "{", "can't be read"),
        (lambda results: json.dumps([1]), "not the results of a demo"),
        (lambda results: json.dumps({**results, "version": 99}), "not the results of a demo"),
        (
            lambda results: json.dumps({k: v for k, v in results.items() if k != "runtime"}),
            "damaged or of an older release .*runtime",
        ),
        (
            lambda results: json.dumps({k: v for k, v in results.items() if k != "machine"}),
            "damaged or of an older release .*machine",
        ),
    ],
)
def test_results_that_can_not_be_shown_again_are_refused(copied, damage, says):
    path = copied / "results.json"
    path.write_text(damage(json.loads(path.read_text("utf-8"))), "utf-8")
    with pytest.raises(RunFolderError, match=says):
        DemoReport.find(Run.open(copied))
