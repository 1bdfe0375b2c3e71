import pytest
import torch

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models.asked_classifier import words_of
from qvlm_qiskit.models.word_tokens import PADDING, UNKNOWN, WordTokens


def test_questions_are_cut_or_padded_and_keep_their_order():
    tokens = WordTokens(["a", "b", "c"], 4, 5)
    found = tokens.numbers(["C, b; A?", "a b c a b", "dog a", "", "?!"])
    pad, unknown = PADDING, UNKNOWN
    assert found.tolist() == [
        [4, 3, 2, pad],
        [2, 3, 4, 2],
        [unknown, 2, pad, pad],
        [pad] * 4,
        [pad] * 4,
    ]
    assert tokens(found).shape == (5, 4, 5)
    assert tokens.table.num_embeddings == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी में का, की!", ["हिन्दी", "में", "का", "की"]),
        ("ที่นี่ 2", ["ที่นี่", "2"]),
        ("re\u0301sume\u0301 = Résumé", ["résumé", "résumé"]),
        ("İstanbul'da snake_case", ["i\u0307stanbul", "da", "snake_case"]),
        ("😀 ?!。", []),
    ],
)
def test_marks_belong_to_their_letters(text, words):
    assert words_of(text) == words


def test_an_unknown_word_is_nothing_and_stays_so():
    tokens = WordTokens(["a", "b"], 2, 3)
    tokens(tokens.numbers(["a b", "b"])).square().sum().backward()
    assert not tokens(tokens.numbers(["dog"]))[0, 0].any()
    assert not tokens.table.weight.grad[UNKNOWN].any()
    assert torch.count_nonzero(tokens.table.weight.grad[[PADDING, 2, 3]]) == 9


def test_without_words_there_is_nothing_to_read():
    with pytest.raises(InputError, match="nothing to read"):
        WordTokens([], 4, 5)
