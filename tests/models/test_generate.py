import numpy as np
import pytest
from PIL import Image

from qvlm_qiskit.evaluation import answer

QUESTION = "what is the sum?"


def test_there_is_one_answer_per_question_in_words(model, processor, samples):
    found = answer(model, processor, [s.image for s in samples], [s.question for s in samples])
    assert len(found) == len(samples)
    words = set(processor.tokenizer.get_vocab())
    for text in found:
        assert text == text.strip()
        assert "<" not in text
        assert set(text.split()) <= words


def test_answers_are_the_same_every_time_and_alone_or_together(model, processor, samples):
    images, questions = [s.image for s in samples[:6]], [s.question for s in samples[:6]]
    together = answer(model, processor, images, questions)
    alone = [
        answer(model, processor, [image], [question])[0]
        for image, question in zip(images, questions, strict=True)
    ]
    assert together == alone == answer(model, processor, images, questions)


def test_case_does_not_matter(model, processor, samples):
    image = [samples[0].image]
    assert answer(model, processor, image, [QUESTION.upper()]) == answer(
        model, processor, image, [QUESTION]
    )


def test_answers_end_at_the_longest_length(model, processor, samples):
    captions = [s for s in samples if s.kind == "caption"]
    images, questions = [s.image for s in captions], [s.question for s in captions]
    for text in answer(model, processor, images, questions, max_new_tokens=2):
        assert len(text.split()) <= 2


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK"])
@pytest.mark.parametrize("size", [(16, 16), (3, 40), (1, 1)])
def test_images_of_any_size_and_mode_are_taken(model, processor, mode, size):
    image = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert(mode)
    assert len(answer(model, processor, [image.resize(size)], [QUESTION])) == 1
