import pytest
import torch
from PIL import Image

from qvlm_qiskit.data import Sample, open_data
from qvlm_qiskit.errors import UnknownNameError

CLASSES = ["ant", "bee"]


def sample(answer):
    return Sample(Image.new("RGB", (5, 9)), "label", "what is this?", answer)


@pytest.fixture
def model(example):
    return example(example.options_type(), CLASSES)


def test_its_classes_are_the_answers_of_the_training_samples(example, colours):
    assert example.learn([sample("bee"), sample("ant"), sample("bee")]) == {"classes": CLASSES}
    pictures = open_data(f"folder:{colours}", "train")
    assert example.learn(pictures) == {"classes": ["blue", "green", "red"]}


def test_labels_are_indices_and_logits_texts(model):
    assert model.labels([sample("bee"), sample("ant")]).tolist() == [1, 0]
    found = model(**model.inputs([sample("bee")] * 3), labels=torch.tensor([0, 1, 1]))
    assert found["logits"].shape == (3, 2)
    assert found["loss"].requires_grad
    assert model.texts({"logits": torch.tensor([[0.0, 1.0], [3.0, 1.0]])}) == ["bee", "ant"]


def test_an_answer_that_training_lacked_is_not_taught_and_told(model):
    with pytest.raises(UnknownNameError, match=r"unknown class of .* 'antt': did you mean 'ant'"):
        model.labels([sample("antt")])
    assert model.notes([sample("ant")]) == []
    (note,) = model.notes([sample("ant"), sample("wasp")])
    assert note.startswith("1 of 2 samples have an answer that the training samples lacked")
