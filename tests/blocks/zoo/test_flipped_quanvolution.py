"""The layer as its source writes it: every patch an observable of every state."""

import pytest
import torch
import torch.nn.functional as F
from qiskit.quantum_info import pauli_basis

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.blocks.zoo.flipped_quanvolution import state_kernels


def test_values_and_gradients_are_those_of_patches_as_observables():
    torch.manual_seed(0)
    core = build("flipped-quanvolution", channels=2, kernels=3, side=5).double()
    with torch.no_grad():
        core.bias.uniform_(-1, 1)
    images = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    found = core(images)
    strings = torch.stack([torch.as_tensor(p.to_matrix()) for p in pauli_basis(2)[1:]])
    generators = torch.einsum("gp,pij->gij", core.layer.weight.to(torch.complex128), strings)
    states = torch.matrix_exp(1j * generators)[..., 0].reshape(3, 2, 4)
    wanted = torch.zeros(2, 3, 3, 3, dtype=torch.float64)
    for row in range(3):
        for column in range(3):
            patches = F.pad(images[:, :, row : row + 3, column : column + 3], (0, 1, 0, 1))
            observables = ((patches + patches.mT) / 2).to(torch.complex128)
            each = torch.einsum("kci,bcij,kcj->bkc", states.conj(), observables, states).real
            wanted[:, :, row, column] = each.mean(-1) + core.bias
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)
    cotangent, leaves = torch.randn_like(found), [images, core.layer.weight, core.bias]
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves, cotangent),
        torch.autograd.grad(wanted, leaves, cotangent),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_kernels_are_positive_of_rank_two_and_the_twins_can_be_any():
    kernels = build("flipped-quanvolution", kernels=20).double().kernels()
    torch.testing.assert_close(kernels, kernels.mT)
    levels = torch.linalg.eigvalsh(kernels)
    assert (levels[..., 0].abs() < 1e-12).all()
    assert (levels[..., 1:] > -1e-12).all()
    assert (levels.sum(-1) <= 1 + 1e-12).all()
    ordinary = build("flipped-quanvolution", kernels=20, kind="classical").kernels()
    assert not torch.allclose(ordinary, ordinary.mT)


def test_any_leading_dimensions():
    core = build("flipped-quanvolution", side=4)
    images = torch.randn(2, 3, 1, 4, 4)
    torch.testing.assert_close(core(images)[1, 2], core(images[1, 2]))


def test_states_of_angles_that_are_all_zero_have_gradients():
    core = build("flipped-quanvolution")
    with torch.no_grad():
        core.layer.weight.zero_()
    core.kernels()[..., 0, 1].sum().backward()
    assert core.layer.weight.grad.isfinite().all()
    assert core.layer.weight.grad.abs().sum() > 0


def by_exponentials(weight):
    """Re ψψ† without its last row and column, in doubles."""
    strings = torch.stack([torch.as_tensor(p.to_matrix()) for p in pauli_basis(2)[1:]])
    generators = torch.einsum("gp,pij->gij", weight.to(torch.complex128), strings)
    states = torch.matrix_exp(1j * generators)[:, :3, 0]
    return torch.einsum("gi,gj->gij", states, states.conj()).real


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("scale", [1.0, 0.0, 1e-9, 30.0])
def test_kernels_of_states_and_their_gradients_are_those_of_exponentials(dtype, scale):
    drawn = torch.randn(6, 15, dtype=torch.float64, generator=torch.manual_seed(0))
    drawn[1:3] *= torch.arange(15) == 4  # one string: levels are equal in pairs
    weight = (scale * drawn).to(dtype).requires_grad_()
    exact = weight.detach().double().requires_grad_()
    found, wanted = state_kernels(weight), by_exponentials(exact)
    near = 1e-11 if dtype == torch.float64 else 1e-6
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=near)
    cotangent = torch.randn_like(wanted)
    (ours,) = torch.autograd.grad(found, weight, cotangent.to(dtype))
    (theirs,) = torch.autograd.grad(wanted, exact, cotangent)
    torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=10 * near)


def test_second_derivatives_and_transforms_are_those_of_exponentials():
    weight = torch.randn(2, 15, dtype=torch.float64, generator=torch.manual_seed(0))
    weight.requires_grad_()
    cotangent, seconds = torch.randn(2, 3, 3, dtype=torch.float64), []
    for way in (state_kernels, by_exponentials):
        (first,) = torch.autograd.grad(way(weight), weight, cotangent, create_graph=True)
        seconds.append(torch.autograd.grad(first.square().sum(), weight))
        seconds[-1] += (torch.func.jacrev(way)(weight),)
    for ours, theirs in zip(*seconds, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_kernels_of_angles_that_are_no_numbers_are_none_either():
    weight = torch.zeros(2, 15)
    weight[1, 3] = torch.nan
    found = state_kernels(weight)
    assert found[0].isfinite().all()
    assert found[1].isnan().any()
