import pytest

from qvlm_qiskit.evaluation.captions import ngrams


def test_runs_of_one_to_four_tokens_are_counted():
    assert ngrams("a b a b") == {
        ("a",): 2, ("b",): 2, ("a", "b"): 2, ("b", "a"): 1,
        ("a", "b", "a"): 1, ("b", "a", "b"): 1, ("a", "b", "a", "b"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", " "])
def test_no_tokens_have_no_runs(text):
    assert ngrams(text) == {}
