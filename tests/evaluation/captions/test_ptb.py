import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qvlm_qiskit.evaluation.captions import ptb

# Text → what Stanford's tokenizer of CoreNLP 3.4.1 makes of it, each line by itself, without the
# punctuation that COCO's evaluation drops.
TREEBANK = json.loads((Path(__file__).parent / "treebank.json").read_text("utf-8"))


def test_tokens_are_those_of_the_original():
    assert len(TREEBANK) > 270
    assert {text: ptb.tokenize(text) for text in TREEBANK} == TREEBANK


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        (
            "A man's dog isn't wearing the \"T-shirt\" (blue), is it?",
            "a man 's dog is n't wearing the t-shirt -lrb- blue -rrb- is it",
        ),
        (
            "Mr. Smith sells vitamin C. The shop's at 5th Ave.",
            "mr. smith sells vitamin c the shop 's at 5th ave.",
        ),
        ("Black-and-white photo; 1920's... wow!", "black-and-white photo 1920 's wow"),
        ("See http://a.b/c_d?e=1, or mail me@x.com.", "see http://a.b/c_d?e=1 or mail me@x.com"),
    ],
)
def test_captions_lose_their_punctuation_and_keep_the_treebanks_tokens(caption, tokens):
    assert ptb.tokenize(caption) == tokens


@pytest.mark.parametrize("text", ["", " ", ".", "?", "—", "\u200b", "😀", "\x00", "...", "' ''"])
def test_what_has_no_tokens_is_empty(text):
    assert ptb.tokenize(text) == ""


@settings(max_examples=25)
@given(st.text(max_size=20))
def test_whatever_is_written_has_lower_case_tokens_with_single_spaces(text):
    tokens = ptb.tokenize(text).split(" ")
    assert tokens == [""] or all(tokens)
    assert not ptb.PUNCTUATION & set(tokens)
    assert [token.lower() for token in tokens] == tokens


@pytest.mark.parametrize(
    "piece", ["a", "a-", "a.", "'", "n't", "1,", "<a", "-", "http://", "@", "! "]
)
def test_long_texts_take_no_longer_than_they_are(piece):
    assert ptb.tokenize(piece * 4000) is not None
