"""Metrics by name, this package's own and another distribution's."""

import sys
from importlib.metadata import EntryPoint

import pytest

from qvlm_qiskit.basics import registry
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.evaluation.metrics import Material, Metrics, find_metric
from qvlm_qiskit.recipes import METRICS
from tests.conftest import forgetting

# The whole file of a foreign metric.
FOREIGN = '''
"""Answers that are as long as a reference."""
from qvlm_qiskit.evaluation.metrics import SampleMean, register_metric

@register_metric("as-long")
class AsLong(SampleMean):
    """The share of answers with as many letters as one of their references."""
    labels, source = ("as long",), "made up"
    def scores(self, answers, references):
        return [float(len(a) in map(len, r)) for a, r in zip(answers, references)]
'''


@pytest.fixture
def foreign(monkeypatch, tmp_path):
    """Another distribution's metric, and an entry point that leads to none."""
    (tmp_path / "foreign_metric.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("as-long", "foreign_metric:AsLong", "qvlm_qiskit.metrics"),
        EntryPoint("wrong", "math:tau", "qvlm_qiskit.metrics"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    with forgetting(METRICS):
        yield
    sys.modules.pop("foreign_metric", None)


def test_this_packages_own_are_files_of_the_folder():
    assert list(METRICS.own) == [
        "exact-match", "vqa-accuracy", "next-token-accuracy", "perplexity", "bleu", "cider",
        "meteor", "rouge-l",
    ]  # fmt: skip


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown metric 'blue': did you mean 'bleu'"):
        find_metric("blue")


def test_a_foreign_metric_is_found_by_its_entry_point(foreign):
    found = Metrics(["as-long"]).measure(Material(["ab", "c"], [["xy"], ["xy"]]))
    assert (found["as long"].metric, found["as long"].value) == ("as-long", 0.5)


def test_an_entry_point_that_leads_to_something_else_is_named(foreign):
    with pytest.raises(RegistryError, match="'wrong' leads to no metric"):
        find_metric("wrong")
