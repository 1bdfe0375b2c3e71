import json
import shutil

import pytest

from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases
from qvlm_qiskit.evaluation import evaluate

QUESTION = "which digit is larger?"


@pytest.mark.parametrize("kind", list(DIGIT_QUESTIONS))
def test_ask_answers_every_question_it_was_trained_on(qvlm, kind):
    found = qvlm("ask", "image.png", "--question", DIGIT_QUESTIONS[kind][0], "--run", "run")
    assert (found.status, found.err) == (0, "")
    assert found.out.endswith("\n")
    assert found.out.count("\n") == 1


def test_ask_and_caption_answer_like_the_model(qvlm, place, tiny_run):
    samples = list(DigitCanvases("test", 10, 0))
    expected = evaluate(tiny_run.model(), tiny_run.processor(), samples).answers
    for sample, answer in zip(samples, expected, strict=True):
        sample.image.save(place / "canvas.png")
        words = ("ask", "canvas.png", "--question", sample.question, "--run", "run")
        if sample.kind == "caption":
            words = ("caption", "canvas.png", "--run", "run")
        assert qvlm(*words).out == f"{answer}\n"


def test_ask_as_json(qvlm):
    words = ("--question", QUESTION, "--run", "run", "--json")
    plain = qvlm("ask", "image.png", *words[:-1])
    record = json.loads(qvlm("ask", "image.png", *words).out)
    assert set(record) == {"question", "answer", "backend"}
    assert (record["question"], record["answer"]) == (QUESTION, plain.out.strip())
    assert record["backend"]["kind"] == "exact"


def test_caption_is_the_question_for_a_description(qvlm):
    captioned = json.loads(qvlm("caption", "image.png", "--run", "run", "--json").out)
    question = DIGIT_QUESTIONS["caption"][0]
    words = ("--question", question, "--run", "run", "--json")
    assert captioned == json.loads(qvlm("ask", "image.png", *words).out)
    assert captioned["question"] == question


def test_ask_runs_on_a_noisy_machine(qvlm):
    words = ("--backend", "noisy:fake_manila", "--shots", "20", "--mitigation", "zne")
    found = qvlm("ask", "image.png", "--question", QUESTION, "--run", "run", *words, "--json")
    about = json.loads(found.out)["backend"]
    assert (about["name"], about["shots"], about["mitigation"]) == ("noisy:fake_manila", 20, "zne")
    again = qvlm("ask", "image.png", "--question", QUESTION, "--run", "run", *words, "--json")
    assert again.out == found.out


def test_the_default_run_is_the_demos(qvlm, place, tiny_run):
    shutil.copytree(tiny_run.path, place / "runs" / "demo")
    assert qvlm("caption", "image.png") == qvlm("caption", "image.png", "--run", "run")
