"""The layer by matrices."""

import pytest
import torch
from qiskit.quantum_info import pauli_basis

from qvlm_qiskit.blocks.zoo import build, reuploading_linear
from qvlm_qiskit.errors import InputError


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 4), (9, 3), (20, 2), (1, 1)])
def test_values_and_gradients_are_those_of_matrices(inputs, outputs):
    torch.manual_seed(0)
    core = build("reuploading-linear", inputs=inputs, outputs=outputs).double()
    x = torch.randn(3, inputs, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        core.bias.uniform_(-1, 1)
    n, found = core.config.qubits, core(x)
    square = torch.nn.functional.pad(x, (0, 4**n - inputs)).reshape(3, 2**n, 2**n)
    hamiltonian = ((square + square.mT) / 2).to(torch.complex128)
    strings = torch.stack([torch.as_tensor(p.to_matrix()) for p in pauli_basis(n)[1:]])
    state = torch.full((3, 2**n, 1), 2 ** (-n / 2), dtype=torch.complex128)
    for weights in core.layer.weight.reshape(2, -1):
        generator = torch.einsum("p,pij->ij", weights.to(torch.complex128), strings)
        state = torch.matrix_exp(0.5j * hamiltonian) @ state
        state = torch.matrix_exp(1j * generator) @ state
    bits = max(1, (outputs - 1).bit_length())
    read = state[..., 0].abs().square().reshape(3, -1, 2**bits).sum(1)[:, :outputs]
    wanted = read + core.bias
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)
    cotangent, leaves = torch.randn_like(found), [x, core.layer.weight]
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves, cotangent),
        torch.autograd.grad(wanted, leaves, cotangent),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("inputs", "outputs", "qubits"),
    [(1, 1, 1), (4, 2, 1), (5, 2, 2), (64, 10, 4), (65, 4, 4), (4**7, 2, 7)],
)
def test_there_are_as_few_qubits_as_hold_everything(inputs, outputs, qubits):
    core_config = type(build("reuploading-linear").config)
    assert core_config(inputs=inputs, outputs=outputs).qubits == qubits


@pytest.mark.parametrize(("inputs", "outputs", "repetitions"), [(6, 2, 2), (16, 4, 1), (20, 10, 3)])
def test_products_of_matrices_are_what_the_circuit_gives(inputs, outputs, repetitions, monkeypatch):
    torch.manual_seed(0)
    core = build(
        "reuploading-linear", inputs=inputs, outputs=outputs, repetitions=repetitions
    ).double()
    samples = torch.randn(2, 3, inputs, dtype=torch.float64)
    samples[0, 0] = 0.0  # all levels are equal
    assert core(samples[:0]).shape == (0, 3, outputs)
    found = []
    for most in (reuploading_linear.MOST_CLOSED, 0):
        monkeypatch.setattr(reuploading_linear, "MOST_CLOSED", most)
        given = samples.clone().requires_grad_()
        values = core(given)
        leaves = [given, core.layer.weight]
        found.append([values, *torch.autograd.grad(values.square().sum(), leaves)])
    for closed, engine in zip(*found, strict=True):
        torch.testing.assert_close(closed, engine, rtol=0, atol=1e-6)


def test_inputs_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="NaN or infinity"):
        build("reuploading-linear")(torch.full((1, 16), torch.nan))
