"""The denoising autoencoder: shapes, gradients, any latent space, machines."""

import math

import pytest
import torch
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.blocks.zoo import DenoisingAutoencoder, Sines, build
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import run_on

KINDS = ("quantum", "classical", "frozen")


def latent(kind="quantum"):
    torch.manual_seed(0)
    return build("qaoa-latent", kind=kind, qubits=3, repetitions=2)


def model_of(kind="quantum", **sizes):
    torch.manual_seed(1)
    return DenoisingAutoencoder(latent(kind), 3, **sizes)


@pytest.mark.parametrize("side", [8, 28])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_become_pictures_and_everything_learns(kind, side):
    model = model_of(kind, side=side)
    pictures = torch.rand(5, 1, side, side, generator=torch.manual_seed(2)).requires_grad_()
    cleaned = model(pictures)
    assert cleaned.shape == pictures.shape
    assert ((cleaned > 0) & (cleaned < 1)).all()
    cleaned.square().sum().backward()
    assert pictures.grad.abs().sum() > 0
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.abs().sum() > 0, name
    assert model.eval()(pictures[:0]).shape == (0, 1, side, side)


def test_circuit_and_twin_have_as_many_numbers_and_the_same_surroundings():
    models = {kind: model_of(kind) for kind in KINDS}
    counts = {k: sum(p.numel() for p in m.parameters()) for k, m in models.items()}
    assert len(set(counts.values())) == 1
    frozen = [p for p in models["frozen"].parameters() if not p.requires_grad]
    assert sum(p.numel() for p in frozen) == 4
    around = [
        {n: p for n, p in model.state_dict().items() if not n.startswith("latent")}
        for model in models.values()
    ]
    for others in around[1:]:
        assert all(torch.equal(p, others[n]) for n, p in around[0].items())


def test_sines_are_what_the_circuit_reads_without_its_layers():
    """H, RY and no layer: minus the sine; layers of angle zero change nothing."""
    core = latent().double()
    torch.nn.init.zeros_(core.layer.weight)
    features = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(Sines()(features), -core(features), rtol=0, atol=1e-12)
    wanted = torch.sin(math.pi / 2 * torch.tanh(features))
    torch.testing.assert_close(Sines()(features), wanted)
    assert not list(Sines().parameters())


def test_it_runs_on_another_machine():
    model, pictures = model_of().eval(), torch.rand(2, 1, 8, 8)
    exact = model(pictures).detach()
    with run_on(model, StatevectorEstimator()), torch.no_grad():
        torch.testing.assert_close(model(pictures), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", [0, 4.0, 10, -8])
def test_a_side_that_can_not_be_halved_twice_is_refused(side):
    with pytest.raises(InputError, match="the side of pictures is a multiple of 4, got"):
        DenoisingAutoencoder(latent(), 3, side=side)


def test_other_pictures_and_widths_are_refused():
    with pytest.raises(InputError, match="width is a whole number of at least 1, got 0"):
        DenoisingAutoencoder(latent(), 0)
    for shape in [(2, 1, 8, 12), (1, 8, 8), (2, 3, 8, 8)]:
        with pytest.raises(InputError, match=r"expected pictures \(B, 1, 8, 8\), got"):
            model_of()(torch.zeros(shape))
    with pytest.raises(InputError, match="NaN or infinity"):
        model_of()(torch.full((2, 1, 8, 8), math.nan))
    with pytest.raises(InputError, match="a batch to train on needs at least 2 pictures"):
        model_of()(torch.zeros(1, 1, 8, 8))
    assert model_of().eval()(torch.zeros(1, 1, 8, 8)).shape == (1, 1, 8, 8)
