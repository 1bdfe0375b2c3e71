import pytest

from qvlm_qiskit.evaluation import Accuracy
from qvlm_qiskit.evaluation.metrics import Material, Metrics


def exact_match(*material):
    return Metrics(["exact-match"]).measure(Material(*material))["exact match"]


def test_an_answer_is_right_word_for_word_unless_its_data_set_says_otherwise():
    answers, references = ["a", "A", "", "b "], [("a",), ("b", "a"), ("",), ("b",)]
    assert exact_match(answers, references).per_sample == (1.0, 0.0, 1.0, 0.0)
    accepted = exact_match(answers, references, [True, True, False, True])
    assert accepted.per_sample == (1.0, 1.0, 0.0, 1.0)
    assert accepted.value == 0.75


@pytest.mark.parametrize("right", [0, 3, 10])
def test_its_interval_is_that_of_an_accuracy(right):
    found = exact_match(["a"] * 10, [["a"]] * right + [["b"]] * (10 - right))
    assert (found.low, found.high) == Accuracy(right, 10).interval
    assert found.interval == "wilson"
    assert found.samples == 10
