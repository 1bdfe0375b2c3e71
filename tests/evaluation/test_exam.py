from dataclasses import dataclass, replace

import pytest
import torch

from qvlm_qiskit.data import Sample, encode_prompts
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Exam, evaluate, evaluate_exam
from qvlm_qiskit.evaluation.loss import token_scores
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


def test_answers_are_as_long_as_they_may_be(model, processor, samples):
    short = VisionLanguageModel(model, processor).limited(1)
    answers = evaluate_exam(Exam(short, samples)).answers
    assert max(len(answer.split()) for answer in answers) <= 1
    short.check_questions(samples)


def test_what_is_longer_than_the_model_reads_is_refused_before_anything_runs(
    model, processor, samples, monkeypatch
):
    monkeypatch.setattr(type(model), "generate", None)
    answering = VisionLanguageModel(model, processor)
    long = replace(samples[0], question="digit " * 90)
    with pytest.raises(InputError, match=r"tokens of image and question are more .*'digit digit"):
        evaluate_exam(Exam(answering, [samples[0], long]))
    with pytest.raises(InputError, match="answers of 99 tokens do not fit"):
        evaluate_exam(Exam(answering.limited(99), samples))
    answered = replace(samples[0], answer="3 " * 90)
    with pytest.raises(InputError, match="tokens of image, question and answer are more"):
        token_scores(model, processor, [answered])
