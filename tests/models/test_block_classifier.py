"""A classifier around a block: what reaches the head, and what can't be built."""

import dataclasses

import pytest
import torch

from qvlm_qiskit.blocks.gate import GatedResidual
from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.models.block_classifier import (
    BlockClassifier,
    BlockClassifierOptions,
    LinearInstead,
    of_tokens,
    patches_of,
)
from qvlm_qiskit.recipes import BLOCKS, TrainingOptions
from qvlm_qiskit.training import train

SAMPLES = list(DigitCanvases("train", 12, 0))
LEARNT = BlockClassifier.learn(SAMPLES)
SEQUENCES = ("doubly-stochastic", "fast-weights", "qkan-lstm", "token-circuit")
QUESTION = {"reads": "question", "tokens": 4}
SMALL = {"paqm": "paqm(num_qubits=2)", "qcnn": "qcnn(num_qubits=2)"}


def made(block, kind="quantum", **options):
    torch.manual_seed(0)
    return BlockClassifier(BlockClassifierOptions(block=block, kind=kind, **options), **LEARNT)


def asking(*questions):
    return [dataclasses.replace(SAMPLES[0], question=question) for question in questions]


@pytest.mark.parametrize("reads", [{}, QUESTION], ids=["picture", "question"])
@pytest.mark.parametrize("block", BLOCKS.own)
def test_every_block_stands_there_with_its_twin_and_a_linear_map(block, reads):
    text = SMALL.get(block, block)
    kinds = ("quantum", "classical", "frozen", "linear", "sines")
    models = [made(text, kind, **reads) for kind in kinds]
    given, labels = models[0].inputs(SAMPLES[:3]), models[0].labels(SAMPLES[:3])
    for model in models:
        model(**given, labels=labels)["loss"].backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        (embedding,) = model.embed.parameters() if reads else [model.embed.weight]
        assert embedding.grad.abs().sum() > 0, "pictures or words reach the loss"
    sizes = [sum(p.numel() for p in model.parameters()) for model in models]
    assert sizes[0] == sizes[1] == sizes[2]
    assert [bool(model.quantum_layers) for model in models] == [True, False, True, False, False]
    assert len(models[0].block.layers) and models[0].options.residual is False


def test_nothing_passes_a_block_unless_it_is_asked_for():
    given = made("qkan").inputs(SAMPLES[:4])
    for residual in (False, True):
        model = made("qkan", residual=residual)
        (gate,) = [one for one in model.modules() if isinstance(one, GatedResidual)]
        assert float(gate.value.detach()) == (0.5 if residual else 1.0)
        assert gate.logit.requires_grad is residual
        torch.nn.init.zeros_(model.block.expand.weight)
        seen = model.block(model.embed(patches_of(given["images"], 2)))
        assert bool((seen == 0).all()) is not residual


def test_where_the_question_is_read_the_head_sees_what_the_block_makes_and_nothing_else():
    asked = [*SAMPLES[:4], *asking("zero", "")]
    for residual in (False, True):
        model = made("qkan", residual=residual, **QUESTION)
        assert list(model.inputs(asked)) == ["words"]
        assert model.head[0].in_features == 4 * 16
        torch.nn.init.zeros_(model.block.expand.weight)
        found = model(**model.inputs(asked))["logits"]
        assert torch.equal(found, found[:1].expand_as(found)) is not residual
    bare = made("qkan", "none", **QUESTION)
    assert len(bare(**bare.inputs(asked))["logits"].unique(dim=0)) > 1


@pytest.mark.parametrize("block", [*SEQUENCES, "qkan"])
def test_the_order_of_words_matters_to_blocks_of_sequences_by_itself(block):
    model = made(block, **QUESTION)
    one, other = model.inputs(asking("digit is left the", "left is digit the"))["words"]
    swap = [2, 1, 0, 3]
    assert torch.equal(one[swap], other) and len(one.unique()) == 4
    logits = model(torch.stack([one, other]))["logits"]
    assert not torch.allclose(*logits, atol=1e-6), "positions are enough for all blocks"
    torch.nn.init.zeros_(model.positions)
    found, swapped = model.made(model.embed(torch.stack([one, other]))).unflatten(1, (4, 16))
    assert torch.allclose(found[swap], swapped, atol=1e-6) is not of_tokens(block)


def test_blocks_of_sequences_are_those_that_are_told_a_number_of_tokens():
    assert tuple(block for block in BLOCKS.own if of_tokens(block)) == SEQUENCES


def test_patches_are_cut_row_by_row():
    images = torch.arange(2 * 3 * 6 * 6.0).reshape(2, 3, 6, 6)
    found = patches_of(images, 3)
    slow = [
        images[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten(1)
        for i in range(3)
        for j in range(3)
    ]
    torch.testing.assert_close(found, torch.stack(slow, dim=1))


@pytest.mark.parametrize("block", ["doubly-stochastic", "token-circuit", "parallel-circuits"])
def test_what_stands_in_the_circuits_place_is_linear_and_of_its_sizes(block):
    circuit, model = made(block).block, made(block, "linear").block
    assert isinstance(model, LinearInstead)
    features = circuit.reduce.out_features
    model.reduce = torch.nn.Identity()
    model.expand = torch.nn.Linear(circuit.expand.in_features, features)  # as wide as what it takes
    one, two = torch.randn(2, 1, 4, features)
    left = model(one + two) + model(torch.zeros_like(one))
    torch.testing.assert_close(left, model(one) + model(two), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", ["doubly-stochastic", "parallel-circuits"])
def test_sines_are_a_linear_map_of_sines_and_cosines(block):
    model = made(block, "sines").block
    embeddings = torch.randn(3, 4, model.reduce.in_features)
    features = model.reduce(embeddings)
    given = torch.cat([torch.sin(features), torch.cos(features)], dim=2)
    if model.tokens:
        values = model.between(given.reshape(3, -1)).reshape(3, 4, -1)
    else:
        values = model.between(given)
    torch.testing.assert_close(model(embeddings), model.expand(values))


def test_a_block_of_tokens_reads_all_patches():
    assert made("doubly-stochastic").block.config.tokens == 4
    assert made("token-circuit", grid=4, width=4).block.config.tokens == 16
    assert made("token-circuit", reads="question").block.config.tokens == 8


@pytest.mark.parametrize("reads", [{}, QUESTION], ids=["picture", "question"])
def test_it_is_saved_with_what_it_is_made_of(tmp_path, reads):
    model = made("paqm(num_qubits=2)", "frozen", **reads).eval()
    model.name = "block-classifier"
    model.save(tmp_path)
    assert BlockClassifier.load(tmp_path).answers(SAMPLES) == model.answers(SAMPLES)


def test_circuits_without_weights_have_no_gradient_to_report(tmp_path):
    options = TrainingOptions(
        model="block-classifier(block=transfer-features(qubits=2),width=4)", steps=1,
        batch_size=4, train_samples=8,
    )  # fmt: skip
    run = train(options, tmp_path / "run")  # warnings are errors here
    assert run.info["quantum_parameters"] == 0
    assert all(torch.isfinite(torch.tensor(column)).all() for column in run.history().values())


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"kind": "quantums"}, UnknownNameError, "did you mean 'quantum'"),
        ({"block": "qkann"}, UnknownNameError, "did you mean 'qkan'"),
        ({"block": "qkan(input=3)"}, UnknownNameError, "did you mean 'inputs'"),
        ({"side": 15}, InputError, "side=15 is no multiple of grid=2"),
        ({"width": 0}, InputError, "width must be from 1 to 4,096"),
        ({"hidden": 10**20}, InputError, "hidden must be from 1 to 4,096, got 1000000"),
        ({"block": "qkan(kind=classical)"}, InputError, "said beside it, not in 'qkan"),
        ({"block": "token-circuit(tokens=8)"}, InputError, "tokens=8, and a picture has 4"),
        ({"block": "token-circuit(tokens=8)", **QUESTION}, InputError, "a question has 4 words"),
        ({"reads": "questoin"}, UnknownNameError, "did you mean 'question'"),
        ({"tokens": 4}, InputError, "tokens is for reads=question, and reads=picture is asked"),
        ({"grid": 4, **QUESTION}, InputError, "grid is for reads=picture"),
        ({"reads": "question", "tokens": 0}, InputError, "tokens must be from 1 to"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(options, error, says):
    with pytest.raises(error, match=says) as found:
        BlockClassifierOptions(**options)
    assert "\n" not in str(found.value)


def test_a_sequence_that_can_t_have_so_many_patches_is_refused_when_it_is_built():
    with pytest.raises(InputError, match="power of two, got tokens=9"):
        made("doubly-stochastic", side=18, grid=3)
    with pytest.raises(InputError, match="power of two, got tokens=6"):
        made("doubly-stochastic", reads="question", tokens=6)


def test_a_question_that_is_always_the_same_can_t_be_read():
    learnt = BlockClassifier.learn(asking("which?", "which?"))
    with pytest.raises(InputError, match="all training questions are the same"):
        BlockClassifier(BlockClassifierOptions(**QUESTION), **learnt)
