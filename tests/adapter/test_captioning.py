import pytest
import transformers as tf

from qvlm_qiskit.adapter.captioning import (
    IGNORED,
    learned_batch,
    learned_tokens,
    prompt_batch,
    prompt_tokens,
)
from qvlm_qiskit.errors import InputError
from tests.adapter import hubs

TOKENIZER = hubs.tokenizer()
TOKENIZER.pad_token = TOKENIZER.eos_token


def text(tokens):
    return TOKENIZER.decode(tokens)


@pytest.mark.parametrize("prompt", ["Describe the image:", "Describe the image: ", "fruit", ""])
@pytest.mark.parametrize("answer", ["a red apple", " a red apple ", "1", "plum"])
def test_a_prompt_and_an_answer_are_one_text_with_an_end(prompt, answer):
    tokens, known = learned_tokens(TOKENIZER, prompt, answer)
    assert tokens[-1] == TOKENIZER.eos_token_id
    whole = f"{prompt.strip()} {answer.strip()}".strip()
    assert text(tokens[:-1]) == whole
    assert tokens[:known] == prompt_tokens(TOKENIZER, prompt)
    assert text(tokens[known:-1]).strip() == answer.strip()


def test_no_prompt_ends_in_a_token_that_was_never_learned():
    """A space at the end would be a token of its own, which joins the answer's first one."""
    assert prompt_tokens(TOKENIZER, "Describe: ") == prompt_tokens(TOKENIZER, "Describe:")


def test_labels_are_the_answer_and_its_end_alone():
    pairs = [("which fruit", "a plum"), ("", "pear")]
    batch = learned_batch(TOKENIZER, pairs)
    for row, (prompt, answer) in enumerate(pairs):
        learned = batch["labels"][row]
        kept = learned != IGNORED
        assert text(learned[kept]).strip() == f"{answer}</s>"
        assert (batch["input_ids"][row][kept] == learned[kept]).all()
        shown = batch["input_ids"][row][batch["attention_mask"][row] == 1]
        assert text(shown).strip() == f"{prompt} {answer}</s>".strip()
        assert not kept[batch["attention_mask"][row] == 0].any()


def test_prompts_are_padded_on_the_left():
    batch = prompt_batch(TOKENIZER, ["which fruit is it", "fruit", ""])
    lengths = batch["attention_mask"].sum(1).tolist()
    assert lengths[0] > lengths[1] > lengths[2] == 0
    assert batch["attention_mask"][1, -lengths[1] :].all()
    assert text(batch["input_ids"][1, -lengths[1] :]) == "fruit"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: learned_tokens(TOKENIZER, "which", "  "), "an empty answer"),
        (lambda: learned_batch(TOKENIZER, [("a", "red apple")], length=2), "more than 2"),
    ],
    ids=["empty", "long"],
)
def test_what_can_not_be_learned_is_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()


def test_tokens_that_a_tokenizer_adds_stand_in_front_once():
    from tokenizers.processors import TemplateProcessing

    inner = hubs.tokenizer()
    inner.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    both = tf.PreTrainedTokenizerFast(
        tokenizer_object=inner.backend_tokenizer, bos_token="<s>", eos_token="</s>"
    )
    tokens, known = learned_tokens(both, "which", "plum")
    assert tokens.count(0) == tokens.count(1) == 1
    assert (tokens[0], tokens[-1]) == (0, 1)
    assert 0 < known < len(tokens) - 1
