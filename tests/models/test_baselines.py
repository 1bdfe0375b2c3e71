import dataclasses

import pytest
import torch
from PIL import Image

from qvlm_qiskit.data import DigitCanvases, Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models.cnn import Cnn, CnnOptions
from qvlm_qiskit.models.linear import Linear, LinearOptions
from qvlm_qiskit.models.text_cnn import WINDOWS, TextCnn, TextCnnOptions

SAMPLES = list(DigitCanvases("train", 30, 0))


@pytest.mark.parametrize(("kind", "options"), [(Linear, LinearOptions()), (Cnn, CnnOptions(20))])
def test_a_baseline_learns_answers_and_words_and_is_saved_with_them(kind, options, tmp_path):
    torch.manual_seed(0)
    model = kind(options, **kind.learn(SAMPLES))
    assert "left" in model.words
    assert "7" in model.classes
    given = model.inputs(SAMPLES[:4])
    assert given["images"].shape == (4, 3, options.side, options.side)
    assert given["words"].shape == (4, len(model.words))
    found = model(**given, labels=model.labels(SAMPLES[:4]))
    assert found["logits"].shape == (4, len(model.classes))
    assert found["loss"].requires_grad
    model.name = "linear" if kind is Linear else "cnn"
    model.eval().save(tmp_path)
    assert kind.load(tmp_path).answers(SAMPLES) == model.answers(SAMPLES)


def test_where_all_ask_the_same_the_question_is_no_input():
    asked = [dataclasses.replace(s, question="which?") for s in SAMPLES]
    assert Linear.learn(asked)["words"] == []
    model = Linear(LinearOptions(side=4), **Linear.learn(asked))
    assert model.map.in_features == 48


def test_words_that_were_not_trained_on_count_for_nothing():
    model = Linear(LinearOptions(), **Linear.learn(SAMPLES))
    one = Sample(Image.new("L", (9, 5)), "x", "Which elephant is LEFT?", "1")
    (row,) = model.inputs([one])["words"]
    assert [model.words[i] for i in row.nonzero().flatten()] == ["is", "left", "which"]


def test_the_map_is_linear():
    model = Linear(LinearOptions(), **Linear.learn(SAMPLES)).eval()
    given = model.inputs(SAMPLES[:2])
    both = {name: tensor.sum(0, keepdim=True) for name, tensor in given.items()}
    zero = {name: torch.zeros_like(tensor) for name, tensor in both.items()}
    with torch.inference_mode():
        one, two = model(**given)["logits"]
        torch.testing.assert_close(
            model(**both)["logits"][0] + model(**zero)["logits"][0], one + two,
            rtol=1e-4, atol=1e-4,
        )  # fmt: skip


def text_cnn(**options):
    torch.manual_seed(0)
    return TextCnn(TextCnnOptions(**options), **TextCnn.learn(SAMPLES))


def test_a_convolution_over_words_is_the_greatest_of_every_window(tmp_path):
    model = text_cnn(tokens=5, channels=3)
    given = model.inputs(SAMPLES[:3])
    assert list(given) == ["words"] and given["words"].shape == (3, 5)
    found = model(**given, labels=model.labels(SAMPLES[:3]))
    embedded = model.embed(given["words"])
    seen = []
    for window, one in zip(WINDOWS, model.filters, strict=True):
        nothing = torch.zeros(3, window - 1, 16)
        padded = torch.cat([nothing, embedded, nothing], dim=1)
        of = [
            torch.einsum("bwc,fcw->bf", padded[:, start : start + window], one.weight) + one.bias
            for start in range(5 + window - 1)
        ]
        seen.append(torch.stack(of).clamp(min=0).amax(0))
    torch.testing.assert_close(found["logits"], model.head(torch.cat(seen, dim=1)))
    found["loss"].backward()
    model.name = "text-cnn"
    model.eval().save(tmp_path)
    assert TextCnn.load(tmp_path).answers(SAMPLES) == model.answers(SAMPLES)


def test_a_convolution_reads_any_number_of_words_and_refuses_none():
    model = text_cnn(tokens=1)
    assert model(**model.inputs(SAMPLES[:2]))["logits"].shape == (2, len(model.classes))


@pytest.mark.parametrize(
    ("options", "name"),
    [(TextCnnOptions, name) for name in ("tokens", "width", "channels")]
    + [(CnnOptions, name) for name in ("side", "channels", "hidden")]
    + [(LinearOptions, "side")],
)
@pytest.mark.parametrize("size", [0, -1, 4097, 10**20, 10**400])
def test_sizes_that_no_classifier_has_are_refused(options, name, size):
    with pytest.raises(InputError, match=f"^{name} must be from 1 to 4,096, got -?\\d{{1,24}}$"):
        options(**{name: size})
