"""The layer as its source writes it: every patch an observable of every state."""

import torch
import torch.nn.functional as F
from qiskit.quantum_info import pauli_basis

from qvlm_qiskit.blocks.zoo import build


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
