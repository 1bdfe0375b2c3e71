"""The embedding by matrices: eigenvalues of the features, exponentials of the weights."""

import pytest
import torch
from qiskit.quantum_info import Pauli, pauli_basis

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.blocks.zoo.hamiltonian_embedding import entries_of
from qvlm_qiskit.errors import InputError, UnknownNameError


def by_matrices(core, images):
    """Probabilities of all outcomes of images ``(B, 2**n, 2**n)``."""
    config, n = core.config, core.config.qubits
    times, rest = core.layer.weight.split(
        [config.repetitions, core.layer.weight.numel() - config.repetitions]
    )
    state = torch.full((len(images), 2**n), 2 ** (-n / 2), dtype=torch.complex128)
    hamiltonian = ((images + images.mT) / 2).to(torch.complex128)
    factors = iter(rest.reshape(-1, 4**n - 1 if config.unitary == "whole" else 15))
    for time in times:
        state = (torch.matrix_exp(-0.5j * time * hamiltonian) @ state[..., None])[..., 0]
        for first in range(1 if config.unitary == "whole" else n - 1):
            width = n if config.unitary == "whole" else 2
            above, below = "I" * (n - first - width), "I" * first
            labels = [above + label + below for label in pauli_basis(width).to_labels()[1:]]
            strings = torch.stack([torch.as_tensor(Pauli(label).to_matrix()) for label in labels])
            generator = (next(factors)[:, None, None] * strings).sum(0)
            state = state @ torch.matrix_exp(1j * generator).mT
    return state.abs().square()


@pytest.mark.parametrize("options", [
    {"qubits": 3, "repetitions": 2, "outputs": 8},
    {"qubits": 3, "repetitions": 2, "outputs": 5, "unitary": "whole"},
    {"qubits": 4, "repetitions": 1, "outputs": 3},
])  # fmt: skip
def test_values_and_gradients_are_those_of_matrices(options):
    torch.manual_seed(0)
    core = build("hamiltonian-embedding", **options).double()
    images = torch.rand(2, 2 ** options["qubits"], 2 ** options["qubits"], dtype=torch.float64)
    images.requires_grad_()
    found = core(entries_of(images))
    bits = (options["outputs"] - 1).bit_length()
    all_of_them = by_matrices(core, images).reshape(2, -1, 2**bits).sum(1)
    wanted = all_of_them[:, : options["outputs"]]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)
    leaves, cotangent = [images, core.layer.weight], torch.randn_like(found)
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves, cotangent),
        torch.autograd.grad(wanted, leaves, cotangent),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_all_thirty_angles_of_a_repetition_do_something():
    """In the published code the second fifteen are never used."""
    torch.manual_seed(0)
    core = build("hamiltonian-embedding", repetitions=1).double()
    found = core(torch.randn(4, 36, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(found, core.layer.weight, torch.randn_like(found))
    assert (gradient.abs() > 1e-6).all()


def test_a_product_formula_comes_near_the_exponential():
    exact = build("hamiltonian-embedding", qubits=2, repetitions=1, outputs=4)
    stepped = build("hamiltonian-embedding", qubits=2, repetitions=1, outputs=4, steps=64)
    stepped.load_state_dict(exact.state_dict())
    samples = torch.randn(3, 10)
    assert (stepped(samples) - exact(samples)).abs().max() < 0.05


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="2 qubits have 4 outcomes, and outputs=8"):
        build("hamiltonian-embedding", qubits=2)
    with pytest.raises(UnknownNameError, match="unknown unitary 'pair': did you mean 'pairs'"):
        build("hamiltonian-embedding", unitary="pair")
