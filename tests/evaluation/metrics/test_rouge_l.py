from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvlm_qiskit.evaluation.metrics import find_metric
from qvlm_qiskit.evaluation.metrics.rouge_l import common_length
from tests.evaluation.metrics import caption_cases as cases

WORDS = st.lists(st.sampled_from("abc"), max_size=12)


def slow_common_length(first, second):
    """By the recursion that defines it."""

    @cache
    def common(i, j):
        if i == len(first) or j == len(second):
            return 0
        if first[i] == second[j]:
            return 1 + common(i + 1, j + 1)
        return max(common(i + 1, j), common(i, j + 1))

    return common(0, 0)


@given(WORDS, WORDS)
def test_the_longest_common_subsequence_is_the_slow_ones(first, second):
    assert common_length(first, second) == slow_common_length(first, second)


def test_more_words_than_a_machine_word_has_bits():
    first = [f"w{i}" for i in range(200)]
    assert common_length(first, first[::3]) == 67


def test_scores_are_those_of_pycocoevalcap():
    found = find_metric("rouge-l").scores(cases.ANSWERS, cases.REFERENCES)
    assert found == pytest.approx(cases.ROUGE_L, rel=1e-14)


def test_the_published_fixture_of_nlg_eval():
    found = find_metric("rouge-l").scores(*cases.NLG_EVAL)
    assert sum(found) / 2 == pytest.approx(0.522104, abs=1e-6)


def test_precision_and_recall_may_come_from_different_references():
    (found,) = find_metric("rouge-l").scores(["a b"], [["a", "a b c d"]])
    assert found == pytest.approx(1.0)


def test_texts_without_tokens_are_equal_as_in_pycocoevalcap():
    assert find_metric("rouge-l").scores(["", "", "a"], [[""], ["a"], [""]]) == [1.0, 0.0, 0.0]
