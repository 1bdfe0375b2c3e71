import pytest
import torch

from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases, encode_prompts, encode_training
from qvlm_qiskit.data.batch import IGNORED, collate, prompt
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig


@pytest.fixture(scope="module")
def samples():
    """Every kind twice: rows of different lengths."""
    return list(DigitCanvases("train", 10, seed=1))


def text_of(processor, ids):
    return processor.tokenizer.decode(ids, skip_special_tokens=True)


def test_rows_are_tensors_of_equal_length(processor, samples):
    rows = encode_training(processor, samples)
    assert len(rows) == len(samples)
    length = rows[0]["input_ids"].shape[0]
    for row in rows:
        assert set(row) == {"input_ids", "attention_mask", "pixel_values", "labels"}
        assert row["input_ids"].shape == row["labels"].shape == (length,)
        assert row["pixel_values"].shape == (3, 16, 16)
    assert min(int(row["attention_mask"].sum()) for row in rows) < length


def test_padding_is_on_the_right(processor, samples):
    for row in encode_training(processor, samples):
        mask = row["attention_mask"]
        length = int(mask.sum())
        assert mask[:length].all()
        assert not mask[length:].any()
        assert (row["input_ids"][length:] == processor.tokenizer.pad_token_id).all()


def test_labels_are_the_answer_and_the_end_token_and_nothing_else(processor, samples):
    for row, sample in zip(encode_training(processor, samples), samples, strict=True):
        labelled = row["labels"] != IGNORED
        ids = row["labels"][labelled]
        assert int(ids[-1]) == processor.tokenizer.eos_token_id
        assert text_of(processor, ids[:-1]) == sample.answer
        assert torch.equal(row["input_ids"][labelled], ids)
        # one run that ends where the row ends
        positions = labelled.nonzero()[:, 0]
        assert int(positions[-1]) == int(row["attention_mask"].sum()) - 1
        assert len(positions) == int(positions[-1] - positions[0]) + 1


def test_a_row_is_start_image_question_answer_end(processor, samples):
    for row, sample in zip(encode_training(processor, samples), samples, strict=True):
        ids = row["input_ids"][row["attention_mask"].bool()].tolist()
        assert ids[0] == processor.tokenizer.bos_token_id
        assert ids[1:5] == [processor.image_token_id] * 4
        assert ids.count(processor.image_token_id) == 4
        assert processor.tokenizer.unk_token_id not in ids
        assert text_of(processor, ids[5:-1]) == f"{sample.question} {sample.answer}"


def test_prompts_are_the_rows_up_to_the_answer(processor, samples):
    prompts = encode_prompts(processor, [s.image for s in samples], [s.question for s in samples])
    for i, row in enumerate(encode_training(processor, samples)):
        start = int((row["labels"] != IGNORED).nonzero()[0])
        asked = prompts.input_ids[i][prompts.attention_mask[i].bool()]
        assert asked.tolist() == row["input_ids"][:start].tolist()
        torch.testing.assert_close(prompts.pixel_values[i], row["pixel_values"], rtol=0, atol=0)


def test_prompts_are_padded_on_the_left(processor, samples):
    prompts = encode_prompts(processor, [s.image for s in samples], [s.question for s in samples])
    assert prompts.attention_mask[:, -1].all()
    assert (prompts.attention_mask.sum(-1) < prompts.input_ids.shape[1]).any()
    padding = prompts.input_ids[prompts.attention_mask == 0]
    assert (padding == processor.tokenizer.pad_token_id).all()


@pytest.mark.parametrize("kind", DIGIT_QUESTIONS)
def test_a_row_does_not_depend_on_its_neighbours(processor, samples, kind):
    index = next(i for i, s in enumerate(samples) if s.kind == kind)
    together = encode_training(processor, samples)[index]
    (alone,) = encode_training(processor, [samples[index]])
    length = len(alone["input_ids"])
    for name in ("input_ids", "labels", "attention_mask"):
        assert together[name][:length].tolist() == alone[name].tolist()
    assert alone["attention_mask"].all()


def test_padding_the_other_way_round_gives_the_same_loss_per_row(processor, samples):
    torch.manual_seed(0)
    model = HybridVLM(HybridVLMConfig.recipe("tiny")).eval()
    rows = encode_training(processor, samples)
    (alone,) = encode_training(processor, samples[:1])
    batch = collate([rows[0]])
    with torch.no_grad():
        torch.testing.assert_close(model(**batch).loss, model(**collate([alone])).loss)


def test_a_batch_of_prompts_can_be_sliced(processor, samples):
    prompts = encode_prompts(processor, [s.image for s in samples], [s.question for s in samples])
    part = prompts[2:5]
    assert (len(prompts), len(part)) == (10, 3)
    assert torch.equal(part.input_ids, prompts.input_ids[2:5])
    assert torch.equal(part.attention_mask, prompts.attention_mask[2:5])
    assert torch.equal(part.pixel_values, prompts.pixel_values[2:5])
    assert set(part.inputs()) == {"input_ids", "attention_mask", "pixel_values"}


def test_a_prompt_is_start_token_image_question(processor):
    assert prompt(processor, "what is the sum?") == "<s><image>what is the sum?"


def test_an_iterator_of_samples_is_enough(processor, samples):
    rows = encode_training(processor, iter(samples))
    expected = encode_training(processor, samples)
    assert [r["input_ids"].tolist() for r in rows] == [r["input_ids"].tolist() for r in expected]


def test_collating_stacks_every_column(processor, samples):
    rows = encode_training(processor, samples)
    batch = collate(rows[:4])
    assert {name: len(column) for name, column in batch.items()} == dict.fromkeys(rows[0], 4)
    assert torch.equal(batch["labels"][2], rows[2]["labels"])
