"""A classifier around a block: what reaches the head, and what can't be built."""

import pytest
import torch

from qvlm_qiskit.blocks.gate import GatedResidual
from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.models.block_classifier import (
    BlockClassifier,
    BlockClassifierOptions,
    LinearInstead,
    patches_of,
)
from qvlm_qiskit.recipes import BLOCKS, TrainingOptions
from qvlm_qiskit.training import train

SAMPLES = list(DigitCanvases("train", 12, 0))
LEARNT = BlockClassifier.learn(SAMPLES)
SMALL = {"paqm": "paqm(num_qubits=2)", "qcnn": "qcnn(num_qubits=2)"}


def made(block, kind="quantum", **options):
    torch.manual_seed(0)
    return BlockClassifier(BlockClassifierOptions(block=block, kind=kind, **options), **LEARNT)


@pytest.mark.parametrize("block", BLOCKS.own)
def test_every_block_stands_there_with_its_twin_and_a_linear_map(block):
    text = SMALL.get(block, block)
    models = [made(text, kind) for kind in ("quantum", "classical", "frozen", "linear")]
    given, labels = models[0].inputs(SAMPLES[:3]), models[0].labels(SAMPLES[:3])
    for model in models:
        model(**given, labels=labels)["loss"].backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        assert model.embed.weight.grad.abs().sum() > 0, "the pictures reach the loss"
    sizes = [sum(p.numel() for p in model.parameters()) for model in models]
    assert sizes[0] == sizes[1] == sizes[2]
    assert [bool(model.quantum_layers) for model in models] == [True, False, True, False]
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


def test_a_block_of_tokens_reads_all_patches():
    assert made("doubly-stochastic").block.config.tokens == 4
    assert made("token-circuit", grid=4, width=4).block.config.tokens == 16


def test_it_is_saved_with_what_it_is_made_of(tmp_path):
    model = made("paqm(num_qubits=2)", "frozen").eval()
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
        ({"width": 0}, InputError, "width must be at least 1"),
        ({"block": "token-circuit(tokens=8)"}, InputError, "tokens=8, and a picture has 4"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(options, error, says):
    with pytest.raises(error, match=says) as found:
        BlockClassifierOptions(**options)
    assert "\n" not in str(found.value)


def test_a_sequence_that_can_t_have_so_many_patches_is_refused_when_it_is_built():
    with pytest.raises(InputError, match="power of two, got tokens=9"):
        made("doubly-stochastic", side=18, grid=3)
