"""Next-token accuracy and perplexity: of the right answers' tokens."""

import math

import numpy as np
import pytest

from qvlm_qiskit.evaluation.metrics import Material, Metrics, TokenScores

TOKENS = TokenScores(
    np.array([2.0, 0.0, 4.0]), np.array([1.0, 3.0, 0.0]), np.array([2.0, 3.0, 1.0])
)


def measured(names, tokens=TOKENS):
    texts = ["x"] * len(tokens.loss)
    return Metrics(names).measure(Material(texts, [["y"]] * len(texts), tokens=tokens))


def test_both_are_of_all_tokens_not_means_over_samples():
    found = measured(["next-token-accuracy", "perplexity"])
    assert found["next-token accuracy"].value == pytest.approx(4 / 6)
    assert found["perplexity"].value == pytest.approx(math.exp(6 / 6))
    assert [one.per_sample for one in found.values] == [None, None]
    assert all(one.low <= one.value <= one.high for one in found.values)


def test_a_sure_model_has_perplexity_1_and_a_hopeless_one_a_finite_one():
    sure = TokenScores(np.zeros(2), np.ones(2), np.ones(2))
    hopeless = TokenScores(np.full(2, 1e6), np.zeros(2), np.ones(2))
    assert measured(["perplexity"], sure)["perplexity"].value == 1.0
    assert measured(["perplexity"], hopeless)["perplexity"].value > 1e307


def test_only_such_metrics_need_tokens():
    assert Metrics(["perplexity"]).need_tokens
    assert not Metrics(["exact-match", "bleu"]).need_tokens
    with pytest.raises(ValueError, match="about tokens"):
        Metrics(["perplexity"]).measure(Material(["a"], [["a"]]))
