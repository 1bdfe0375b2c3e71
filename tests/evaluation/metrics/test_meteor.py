import numpy as np
import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.metrics import Material, Metrics
from qvlm_qiskit.evaluation.metrics.meteor import Meteor, of_lines
from tests.evaluation.captions import fake_java

# What METEOR 1.5 counts in captions → the score that it gives them.
LINES = {
    "6.0 9.0 1.0 2.0 3.0 3.0 1.0 1.0 0 0 0 0 1.0 1.0 0 0 0 0 0 0 3.0 5.0 5.0": 0.2588869904888879,
    "9 12 5.0 5.0 0 0 2.0 2.0 0 0 0 0 1.0 2.0 1.0 0 1.0 1.0 0 0 5.0 5.0 5.0": 0.13633018173583197,
    "10.0 10.0 3.0 3.0 7.0 7.0 3.0 3.0 0 0 0 0 0 0 0 0 0 0 0 0 1.0 10.0 10.0": 1.0,
    "0.0 10.0 0.0 3.0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0": 0.0,
    "1.0 1.0 1.0 1.0 0 0 1.0 1.0 0 0 0 0 0 0 0 0 0 0 0 0 1.0 1.0 1.0": 1.0,
    "3.0 4.0 0.0 1.0 3.0 3.0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1.0 3.0 3.0": 0.47362391538017806,
    "2.0 2.0 0.0 0.0 2.0 2.0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 2.0 2.0 2.0": 0.4,
}  # fmt: skip
TOGETHER = 0.27911430754258404
"""What it gives all of them as one corpus."""


def test_scores_are_meteors_own():
    found = Meteor().value(of_lines(list(LINES)))
    assert found[:, 0] == pytest.approx(list(LINES.values()), rel=1e-14)


def test_a_corpus_is_scored_as_meteor_does():
    found = Meteor().value(of_lines(list(LINES)).sum(axis=0))
    assert found == pytest.approx([TOGETHER], rel=1e-14)


def test_nothing_that_matches_is_0_and_no_warning():
    assert Meteor().value(np.zeros((2, 23))).tolist() == [[0.0], [0.0]]


def test_java_counts_and_the_tokenizer_is_its_too(tmp_path, monkeypatch):
    lines = list(LINES)[:2]
    body = f"for line in lines: print({lines[0]!r} if line.startswith('SCORE') else line.lower())"
    fake_java.install(tmp_path, monkeypatch, body)
    found = Metrics(["meteor"]).measure(Material(["A cat", "B"], [["the cat"], ["c", "d"]]))
    assert found["METEOR"].value == pytest.approx(LINES[lines[0]], rel=1e-14)
    assert found["METEOR"].low == pytest.approx(found["METEOR"].high, rel=1e-14)
    assert found.tokenizer.name == "java"


def test_without_java_it_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="metric 'meteor' needs Java, and there is no java"):
        Metrics(["bleu", "meteor"])
