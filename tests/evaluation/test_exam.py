from dataclasses import dataclass

import pytest
import torch

from qvlm_qiskit.data import Sample, encode_prompts
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Exam, evaluate, evaluate_exam
from qvlm_qiskit.models import VisionLanguageModel


def test_an_exam_is_evaluated_as_its_parts_are(model, processor, samples):
    exam = Exam(VisionLanguageModel(model, processor), samples[:6])
    assert len(exam) == 6
    assert evaluate_exam(exam, batch_size=4) == evaluate(model, processor, samples[:6])


def test_its_references_are_the_answers_where_the_data_set_has_no_others(model, processor, samples):
    @dataclass(frozen=True)
    class Captioned(Sample):
        references: tuple[str, ...] = ()

    one = samples[0]
    more = Captioned(one.image, "caption", one.question, "a cat", (), ("a cat", "the cat"))
    none = Captioned(one.image, "caption", one.question, "a cat")
    exam = Exam(VisionLanguageModel(model, processor), [one, more, none])
    assert exam.references == [(one.answer,), ("a cat", "the cat"), ("a cat",)]


def test_samples_that_can_not_be_answered_in_so_many_tokens_are_counted(model, processor, samples):
    exam = Exam(VisionLanguageModel(model, processor), samples)
    captions = sum(s.kind == "caption" for s in samples)
    lengths = [exam.model.longer_than(samples, tokens) for tokens in (0, 1, 10, 11, 16)]
    assert lengths == [len(samples), captions, captions, 0, 0]


def test_its_prompts_are_one_batch(model, processor, samples):
    batch = VisionLanguageModel(model, processor).prompts(samples[:3])
    asked = encode_prompts(
        processor, [s.image for s in samples[:3]], [s.question for s in samples[:3]]
    )
    assert all(torch.equal(batch.inputs()[name], value) for name, value in asked.inputs().items())


def test_without_samples_there_are_no_prompts(model, processor):
    with pytest.raises(InputError, match="0 questions"):
        VisionLanguageModel(model, processor).prompts([])
