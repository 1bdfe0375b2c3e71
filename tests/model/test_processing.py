import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases
from qvlm_qiskit.data.digits import vocabulary_texts
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLMConfig, HybridVLMProcessor, build_processor
from qvlm_qiskit.model.processing import SPECIAL_TOKENS, word_tokenizer


def test_the_special_tokens_have_the_ids_of_the_config(processor):
    tokenizer = processor.tokenizer
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS.values())) == [0, 1, 2, 3, 4]
    config = HybridVLMConfig.recipe("tiny")
    text = config.text_config
    assert (tokenizer.pad_token_id, text.pad_token_id) == (0, 0)
    assert (tokenizer.bos_token_id, text.bos_token_id) == (1, 1)
    assert (tokenizer.eos_token_id, text.eos_token_id) == (2, 2)
    assert (processor.image_token_id, config.image_token_id) == (3, 3)
    assert tokenizer.unk_token_id == 4
    assert tokenizer.padding_side == "left"


def test_the_recipes_vocabulary_holds_the_tokenizer(processor):
    assert len(processor.tokenizer) <= HybridVLMConfig.recipe("tiny").text_config.vocab_size


def test_every_text_of_the_data_is_in_the_vocabulary(processor):
    texts = set()
    for left in range(10):
        for right in range(10):
            texts |= {f"{q} {answer(left, right)}" for q, answer in DIGIT_QUESTIONS.values()}
    for split in ("train", "test"):
        texts |= {f"{s.question} {s.answer}" for s in DigitCanvases(split, 60)}
    for text in sorted(texts):
        assert processor.tokenizer.unk_token_id not in processor.tokenizer(text)["input_ids"], text


def test_unknown_words_are_the_unknown_token(processor):
    ids = processor.tokenizer("which elephant is on the left?")["input_ids"]
    assert ids.count(processor.tokenizer.unk_token_id) == 1


def test_text_survives_encoding_and_decoding(processor):
    for _, answer in DIGIT_QUESTIONS.values():
        text = answer(3, 8)
        ids = processor.tokenizer(text)["input_ids"]
        assert processor.tokenizer.decode(ids, skip_special_tokens=True) == text
    question = "which digit is on the left?"
    assert processor.tokenizer.decode(processor.tokenizer(question)["input_ids"]) == question


def test_letters_are_lowered_and_no_token_is_added(processor):
    tokenizer = processor.tokenizer
    assert tokenizer("What IS the Sum?")["input_ids"] == tokenizer("what is the sum?")["input_ids"]
    assert len(tokenizer("what is the sum?")["input_ids"]) == 5


def test_the_vocabulary_does_not_depend_on_the_order_of_the_texts():
    texts = vocabulary_texts()
    assert word_tokenizer(texts).get_vocab() == word_tokenizer(texts[::-1] + texts).get_vocab()


def test_an_image_token_becomes_one_token_per_patch(processor):
    image = Image.new("L", (16, 16))
    features = processor(images=[image], text=["<s><image>what is the sum?"], return_tensors="pt")
    ids = features["input_ids"][0].tolist()
    assert ids[:6] == [1, 3, 3, 3, 3, processor.tokenizer.convert_tokens_to_ids("what")]
    assert features["pixel_values"].shape == (1, 3, 16, 16)
    assert features["attention_mask"].all()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1"])
@pytest.mark.parametrize("size", [(16, 16), (40, 20)])
def test_images_of_any_size_and_mode_are_brought_to_the_models(processor, mode, size):
    features = processor(images=[Image.new(mode, size)], text=["<s><image>."], return_tensors="pt")
    assert features["pixel_values"].shape == (1, 3, 16, 16)


def test_pixels_are_scaled_from_minus_one_to_one(processor):
    grey = np.zeros((16, 16), dtype=np.uint8)
    grey[0, 1] = 255
    features = processor(images=[Image.fromarray(grey)], text=["<image>"], return_tensors="pt")
    pixels = features["pixel_values"][0]
    torch.testing.assert_close(pixels[:, 0, 1], torch.ones(3))
    torch.testing.assert_close(pixels[:, 1, 0], -torch.ones(3))


def same_outputs(one, other):
    image = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    arguments = {
        "images": [image, image],
        "text": ["<s><image>what is the sum?", "<s><image>describe the image."],
        "padding": True,
        "return_tensors": "pt",
    }
    left, right = one(**arguments), other(**arguments)
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=0, atol=0)


def test_a_stored_processor_is_the_same(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    for loaded in (
        HybridVLMProcessor.from_pretrained(tmp_path),
        AutoProcessor.from_pretrained(tmp_path),
    ):
        assert type(loaded) is HybridVLMProcessor
        assert loaded.num_image_tokens == 4
        assert loaded.image_token_id == 3
        assert loaded.tokenizer.padding_side == "left"
        assert loaded.tokenizer.get_vocab() == processor.tokenizer.get_vocab()
        same_outputs(processor, loaded)


def test_model_and_processor_share_a_folder(model, processor, tmp_path):
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    same_outputs(AutoProcessor.from_pretrained(tmp_path), processor)
    assert type(model).from_pretrained(tmp_path).config.num_image_tokens == 4


def test_the_processor_follows_the_config():
    config = HybridVLMConfig.recipe("tiny")
    config.vision_config.image_size = 32
    processor = build_processor(config, ["a"])
    assert processor.num_image_tokens == 16
    image = Image.new("L", (8, 8))
    features = processor(images=[image], text=["<image>a"], return_tensors="pt")
    assert features["pixel_values"].shape == (1, 3, 32, 32)
    assert features["input_ids"].shape == (1, 17)


def test_generated_ids_are_turned_into_text(processor):
    ids = processor.tokenizer("a 3 on the left")["input_ids"]
    rows = torch.tensor([[*ids, 2, 0, 0]])
    assert processor.batch_decode(rows, skip_special_tokens=True) == ["a 3 on the left"]


def test_every_kind_of_image_is_opened_by_the_same_rules(processor, tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deep = grey.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    alpha = Image.merge("LA", [Image.new("L", (16, 16), 255), Image.fromarray(grey)])
    given = [deep, Image.fromarray(deep), str(tmp_path / "deep.png"), alpha, grey / 255]
    given.append(torch.from_numpy(np.stack([grey / 255] * 3)))

    def pixels(images, text=("<image>",)):
        return processor(images=images, text=list(text), return_tensors="pt")["pixel_values"]

    expected = pixels([Image.fromarray(grey)])
    for image in given:
        torch.testing.assert_close(pixels([image]), expected, rtol=0, atol=0)
        torch.testing.assert_close(pixels(image), expected, rtol=0, atol=0)
    pair = torch.cat([expected, expected])
    for images in ([[deep, alpha]], np.stack([deep, deep])[..., None]):
        text = ["<image><image>"] if isinstance(images, list) else ["<image>", "<image>"]
        torch.testing.assert_close(pixels(images, text), pair, rtol=0, atol=0)


def test_an_image_that_can_not_be_read_is_refused_by_the_processor(processor):
    with pytest.raises(InputError, match="int64 has no white"):
        processor(images=[np.zeros((4, 4), int)], text=["<image>"])
    with pytest.raises(InputError, match="no image file"):
        processor(images=["nothing.png"], text=["<image>"])
