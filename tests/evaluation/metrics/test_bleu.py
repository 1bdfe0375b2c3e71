import numpy as np
import pytest

from qvlm_qiskit.evaluation.metrics import find_metric
from tests.evaluation.metrics import caption_cases as cases


def bleu(answers, references):
    metric = find_metric("bleu")
    return metric.value(metric.statistics(answers, references).sum(axis=0))


def test_values_are_those_of_pycocoevalcap():
    np.testing.assert_allclose(bleu(cases.ANSWERS, cases.REFERENCES), cases.BLEU, rtol=1e-14)


def test_the_published_fixture_of_nlg_eval():
    found = bleu(*cases.NLG_EVAL)
    assert found[[0, 3]] == pytest.approx([0.55, 0.201143], abs=1e-6)


def test_a_caption_that_is_a_reference_has_one():
    assert bleu(["a b c d e"], [["x", "a b c d e"]]) == pytest.approx(1, abs=1e-8)


def test_papineni_clips_matches():
    """His own example: two of seven words count."""
    found = bleu(["the the the the the the the"], [["the cat is on the mat", "there is a cat"]])
    assert found[0] == pytest.approx(2 / 7, rel=1e-8)


def test_of_two_references_that_are_as_near_the_shorter_decides():
    """Three words between two and four: no penalty."""
    assert bleu(["a b c"], [["a b c d", "a b"]])[0] == pytest.approx(1, abs=1e-8)
    assert bleu(["a b c"], [["a b c d"]])[0] == pytest.approx(np.exp(1 - 4 / 3), abs=1e-8)


@pytest.mark.parametrize(
    ("answers", "references"), [([""], [["a"]]), ([""], [[""]]), (["a"], [[""]])]
)
def test_empty_texts_score_nothing(answers, references):
    assert (bleu(answers, references) <= 1e-3).all()


def test_statistics_add_up_over_samples():
    metric = find_metric("bleu")
    statistics = metric.statistics(cases.ANSWERS, cases.REFERENCES)
    assert statistics.shape == (len(cases.ANSWERS), 10)
    stacked = metric.value(np.stack([statistics.sum(axis=0), statistics[1]]))
    np.testing.assert_array_equal(stacked[0], metric.value(statistics.sum(axis=0)))
    np.testing.assert_array_equal(stacked[1], bleu(["a cat"], [["a cat", "a cat"]]))
