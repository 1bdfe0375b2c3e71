"""What a classifier that is told the question does without one."""

import dataclasses

import pytest
from PIL import Image

from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models.block_classifier import BlockClassifier, BlockClassifierOptions
from qvlm_qiskit.models.linear import Linear, LinearOptions
from qvlm_qiskit.models.text_cnn import TextCnn, TextCnnOptions

SAMPLES = list(DigitCanvases("train", 30, 0))
PICTURE = Image.new("L", (16, 16))
ASKED = {
    "picture and question": (Linear, LinearOptions()),
    "question alone, by a block": (
        BlockClassifier,
        BlockClassifierOptions(block="qkan(inputs=4)", reads="question"),
    ),
    "question alone": (TextCnn, TextCnnOptions()),
}


@pytest.mark.parametrize(("kind", "options"), ASKED.values(), ids=ASKED)
def test_no_question_is_no_answer(kind, options):
    model = kind(options, **kind.learn(SAMPLES)).eval()
    for known in ({}, {"colour": "which colour?"}, {"a": "which?", "b": "where?"}):
        with pytest.raises(InputError, match=r"is told the question: ask one with --question$"):
            model.sample(PICTURE, None, known)
    for question in ("", " ?", "xyzzy plugh"):
        with pytest.raises(InputError, match=r"knows no word of '.*': it knows "):
            model.sample(PICTURE, question, {})
    asked = model.sample(PICTURE, SAMPLES[0].question + " xyzzy", {})
    assert model.answers([asked])[0] in model.classes


def test_where_all_training_questions_are_the_same_none_is_needed():
    same = [dataclasses.replace(one, question="which digit?") for one in SAMPLES]
    model = Linear(LinearOptions(), **Linear.learn(same))
    assert model.sample(PICTURE, None, {"digit": "which digit?"}).question == "which digit?"
    assert model.sample(PICTURE, None, {}).question == ""
