"""What a training makes of data that is read: tokenizers, memory, and data that changes."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from qvlm_qiskit.data import batch
from qvlm_qiskit.data.batch import IGNORED, encode_prompts, encode_training
from qvlm_qiskit.data.digits import source_indices
from qvlm_qiskit.data.registry import open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.evaluation.loss import answer_loss, token_scores
from qvlm_qiskit.model.processing import pretrained_tokenizer
from qvlm_qiskit.models import VisionLanguageModel
from qvlm_qiskit.training import Subject, TrainingOptions, build_model, plan_training, train
from tests.data import miniatures


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("fruit")
    miniatures.image_folder(root, each=4, splits=("train", "test"))
    return root


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """A byte-level tokenizer as GPT-2's: no padding token, one token for beginning and end."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    texts = ["what is this?", "red apple", "pear"]
    special = ["<|endoftext|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    folder = tmp_path_factory.mktemp("pieces")
    end = "<|endoftext|>"
    PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=end, eos_token=end, unk_token=end
    ).save_pretrained(folder)
    return folder


def options(place, **others):
    return TrainingOptions(recipe="tiny", steps=2, batch_size=4, data=f"folder:{place}", **others)


def test_a_model_with_a_pretrained_tokenizer_is_trained_saved_and_asked(place, pieces, tmp_path):
    run = train(options(place, tokenizer=str(pieces)), tmp_path / "run")
    model, processor = run.model(), run.processor()
    tokenizer = processor.tokenizer
    assert len(tokenizer) == model.config.text_config.vocab_size
    assert tokenizer.pad_token != tokenizer.eos_token == tokenizer.bos_token == "<|endoftext|>"
    assert model.config.image_token_id == tokenizer.convert_tokens_to_ids("<image>")
    samples = run.samples("test", 20)
    rows = encode_training(processor, samples)
    for row, sample in zip(rows, samples, strict=True):
        taught = row["labels"][row["labels"] != IGNORED]
        assert int(taught[-1]) == tokenizer.eos_token_id
        assert tokenizer.decode(taught[:-1]).strip() == sample.answer
    assert evaluate(model, processor, samples).accuracy.total == 8


def test_a_tokenizer_that_begins_every_text_by_itself_is_not_heard_twice(place, pieces, tmp_path):
    """As Llama's: neither prompts nor the words of a question have its token at the beginning."""
    made = Tokenizer.from_file(str(pieces / "tokenizer.json"))
    end = ("<|endoftext|>", made.token_to_id("<|endoftext|>"))
    made.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", pair=None, special_tokens=[end]
    )
    text = {"bos_token": end[0], "eos_token": end[0], "unk_token": end[0]}
    PreTrainedTokenizerFast(tokenizer_object=made, **text).save_pretrained(tmp_path / "own")
    _, plain = build_model(options(place, tokenizer=str(pieces)))
    _, begun = build_model(options(place, tokenizer=str(tmp_path / "own")))
    samples = open_data(f"folder:{place}", "test")
    for one, other in zip(
        encode_training(plain, samples), encode_training(begun, samples), strict=True
    ):
        assert torch.equal(one["input_ids"], other["input_ids"])
    asked = [encode_prompts(p, [samples[0].image], ["what is this?"]) for p in (plain, begun)]
    assert torch.equal(asked[0].input_ids, asked[1].input_ids)
    VisionLanguageModel(None, begun).sample(samples[0].image, "what is this?", {})


def test_a_plan_through_a_ledger_counts_neither_evaluations_nor_several_batches():
    for others in ({"evaluate_every": 2}, {"accumulate": 2}):
        with pytest.raises(InputError, match="a ledger has one job for each batch"):
            plan_training(Subject(TrainingOptions(**others)), None, None)


def test_a_folder_that_holds_no_tokenizer_is_refused(place, tmp_path):
    with pytest.raises(InputError, match="no tokenizer can be loaded from"):
        pretrained_tokenizer(str(tmp_path))


def test_pictures_that_memory_does_not_hold_are_encoded_on_access(place, monkeypatch):
    _, processor = build_model(options(place))
    samples = open_data(f"folder:{place}", "train")
    rows = encode_training(processor, samples)
    monkeypatch.setattr(batch, "memory_bytes", lambda: 1000)
    on_access = encode_training(processor, samples)
    assert on_access._pixels is None
    assert len(rows) == len(on_access) == 8
    for one, other in zip(rows, on_access, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_training_does_not_go_on_with_other_pictures(tmp_path, stop_at, stopped):
    place, out = tmp_path / "fruit", tmp_path / "run"
    miniatures.image_folder(place, each=4, splits=("train",))
    chosen = options(place, checkpoint_every=1)
    with pytest.raises(stopped):
        train(chosen, out, track=stop_at("training", 2))
    miniatures.picture(place / "train" / "pear" / "0.png", 200)
    with pytest.raises(InputError, match="was started with samples="):
        train(chosen, out, resume=True)
    miniatures.picture(place / "train" / "pear" / "0.png", 40)
    run = train(chosen, out, resume=True)
    assert json.loads((run.path / "run.json").read_text())["data"]["samples"] == 8


def test_a_text_with_the_image_token_is_refused(place):
    _, processor = build_model(options(place))
    samples = open_data(f"folder:{place}(ask=what is <image>?)", "train")
    with pytest.raises(InputError, match="'<image>' stands for the image"):
        encode_training(processor, samples)


def test_the_weights_with_the_lowest_held_out_loss_are_kept(place, tmp_path):
    """A rate at which the loss rises: the first evaluation is the best, and patience ends it."""
    root = tmp_path / "fruit"
    miniatures.image_folder(root, each=6, splits=("train", "val", "test"))
    chosen = options(
        root, evaluate_every=2, patience=2, learning_rate=0.5, schedule="constant", warmup_steps=0,
        clip=100.0,
    )  # fmt: skip
    chosen = dataclasses.replace(chosen, steps=40)
    run = train(chosen, tmp_path / "run")
    history = run.history()
    steps, losses = history["held_out_step"], history["held_out_loss"]
    assert steps == [2.0 * i for i in range(1, len(steps) + 1)]
    assert len(steps) == losses.index(min(losses)) + 1 + 2 < 20
    held_out = open_data(f"folder:{root}", "validation")
    assert answer_loss(run.model(), run.processor(), held_out) == pytest.approx(
        min(losses), rel=1e-3
    )


def test_two_batches_of_a_step_are_one_of_twice_the_size(place, tmp_path):
    """Without norms of batches, means of gradients are gradients of means."""
    chosen = options(place, blocks="classical", clip=1e9)
    halves = dataclasses.replace(chosen, accumulate=2, batch_size=4)
    whole = dataclasses.replace(chosen, batch_size=8)
    runs = [train(o, tmp_path / n) for o, n in ((halves, "halves"), (whole, "whole"))]
    first, second = (dict(run.model().named_parameters()) for run in runs)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-3, atol=1e-5)


def test_the_demos_data_is_evaluated_while_it_trains(tmp_path):
    given = TrainingOptions(
        recipe="tiny", steps=2, batch_size=4, train_samples=20, evaluate_every=1
    )
    run = train(given, tmp_path / "run")
    history = run.history()
    assert history["held_out_step"] == [1.0, 2.0]
    assert len(history["held_out_loss"]) == 2
    trained_on = {i for s in run.samples("train", 20) for i in s.sources}
    assert trained_on.isdisjoint(source_indices("validation"))


def test_reports_have_losses_gates_and_the_circuits_gradient(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    root = tmp_path / "fruit"
    miniatures.image_folder(root, each=6, splits=("train", "val", "test"))
    run = train(options(root, reports="tensorboard", evaluate_every=1), tmp_path / "run")
    events = EventAccumulator(str(run.path / "reports")).Reload()
    names = ("loss", "learning_rate", "grad_norm", "circuit_grad_norm", "circuit_grad_variance")
    names += ("gate_qcnn", "gate_paqm", "load_layer1_expert0", "load_layer1_expert1")
    found = {name: [e.value for e in events.Scalars(f"train/{name}")] for name in names}
    history = run.history()
    for name in ("loss", "gate_qcnn", "gate_paqm"):
        assert found[name] == pytest.approx(history[name], rel=1e-6)
    loads = zip(found["load_layer1_expert0"], found["load_layer1_expert1"], strict=True)
    assert all(one + other == pytest.approx(1) for one, other in loads)
    angles = sum(layer.weight.numel() for layer in run.model().quantum_layers.values())
    for norm, variance in zip(
        found["circuit_grad_norm"], found["circuit_grad_variance"], strict=True
    ):
        assert 0 < variance <= norm**2 / angles * (1 + 1e-6)
    held_out = {
        name: [e.value for e in events.Scalars(f"eval/{name}")]
        for name in ("loss", "accuracy", "perplexity")
    }
    for name, values in held_out.items():
        assert values == pytest.approx(history[f"held_out_{name}"], rel=1e-6)
    best = held_out["loss"].index(min(held_out["loss"]))
    samples = open_data(f"folder:{root}", "validation")
    scores = token_scores(run.model(), run.processor(), samples)
    assert held_out["accuracy"][best] == pytest.approx(scores.right.sum() / scores.tokens.sum())
    assert held_out["perplexity"][best] == pytest.approx(
        np.exp(scores.loss.sum() / scores.tokens.sum()), rel=1e-4
    )


@pytest.mark.parametrize(
    ("others", "error", "said"),
    [
        ({"evaluate_every": 1}, InputError, "has no validation split"),
        ({"reports": "tensorbord"}, InputError, "did you mean 'tensorboard'"),
    ],
)
def test_what_can_not_be_done_is_said_before_it_begins(place, tmp_path, others, error, said):
    with pytest.raises(error, match=said):
        train(options(place, **others), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"patience": 1}, "say evaluate_every too"),
        ({"patience": 0, "evaluate_every": 1}, "patience must be at least 1"),
        ({"evaluate_every": 11, "steps": 10}, "nothing would be evaluated"),
        ({"evaluate_every": 0}, "evaluate_every must be at least 1"),
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"clip": 0.0}, "clip must be positive"),
        ({"clip": float("nan")}, "clip must be positive"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
    ],
)
def test_options_of_the_trainer_are_checked(others, said):
    with pytest.raises(InputError, match=said):
        TrainingOptions(**others)
