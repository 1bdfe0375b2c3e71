"""The attention column by column, from the matrix of the unitary."""

import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from qvlm_qiskit.blocks.registry import build_at
from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.errors import InputError, UnknownNameError


def matrix_of(angles, tokens, ancillas):
    """P of a list of angles: every column is a run from a basis state and a mixed ancilla."""
    bits = tokens.bit_length() - 1
    circuit, left, used = QuantumCircuit(bits + ancillas), list(angles), set(range(bits))
    neighbours = [(i, i + 1) for i in range(bits - 1)]
    pairs = neighbours + [(k % bits, bits + k) for k in range(ancillas)]
    while left:
        one, other = pairs[0]
        pairs = [*pairs[1:], pairs[0]]
        whole = other in used and len(left) > 2
        used.add(other)
        first, *middle, last = left[: 4 if whole else 2]
        left = left[4 if whole else 2 :]
        circuit.ry(first, one)
        if middle:
            circuit.ry(middle[0], other)
            circuit.rz(middle[1], other)
        circuit.cx(one, other)
        circuit.rx(last, one)
    unitary = torch.as_tensor(Operator(circuit).data)
    squares = unitary.abs().square().reshape(2**ancillas, tokens, 2**ancillas, tokens)
    return squares.sum((0, 2)) / 2**ancillas


@pytest.mark.parametrize(
    ("tokens", "ancillas", "repetitions"), [(2, 1, 3), (4, 0, 2), (4, 1, 2), (8, 2, 1), (4, 3, 1)]
)
def test_values_are_those_of_the_matrix(tokens, ancillas, repetitions):
    torch.manual_seed(0)
    core = build(
        "doubly-stochastic", tokens=tokens, width=3, ancillas=ancillas, repetitions=repetitions
    ).double()
    x = torch.randn(2, tokens, 3, dtype=torch.float64)
    with torch.no_grad():
        for sample, mixed in zip(x, core(x), strict=True):
            queries, keys = sample @ core.queries.weight.T, sample @ core.keys.weight.T
            logits = queries @ keys.T / 3**0.5
            angles = torch.cat([(theta * logits).flatten() for theta in core.theta])
            attention = matrix_of(angles.tolist(), tokens, ancillas)
            wanted = attention @ sample @ core.contents.weight.T
            torch.testing.assert_close(mixed, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
def test_rows_and_columns_add_up_to_one(scale):
    core = build("doubly-stochastic", tokens=16, width=4)
    attention = core.attention(scale * torch.randn(3, 16, 4)).detach()
    ones = torch.ones(3, 16)
    torch.testing.assert_close(attention.sum(-1), ones, rtol=0, atol=1e-5)
    torch.testing.assert_close(attention.sum(-2), ones, rtol=0, atol=1e-5)
    assert attention.min() > -1e-6


@pytest.mark.parametrize(("tokens", "ancillas"), [(2, 1), (2, 3), (4, 0), (4, 2), (16, 1)])
def test_every_logit_has_an_influence(tokens, ancillas):
    core = build("doubly-stochastic", tokens=tokens, width=4, ancillas=ancillas).double()
    torch.manual_seed(0)
    logits = torch.randn(1, tokens, tokens, dtype=torch.float64, requires_grad=True)
    matrices = core.matrices(logits)
    (matrices * torch.randn_like(matrices)).sum().backward()
    assert (logits.grad.abs() > 1e-9).all()


@pytest.mark.parametrize(
    ("mixing", "rows", "columns"),
    [("sinkhorn", 0.2, 1e-12), ("qr", 1e-12, 1e-12), ("softmax", 1e-12, None)],
)
def test_what_the_twins_mixings_keep(mixing, rows, columns):
    twin = build("doubly-stochastic", tokens=8, width=4, mixing=mixing, kind="classical")
    attention = twin.double().attention(torch.randn(5, 8, 4, dtype=torch.float64))
    assert (attention >= 0).all()
    assert (attention.sum(-1) - 1).abs().max() < rows
    off = (attention.sum(-2) - 1).abs().max()
    assert off > 0.1 if columns is None else off < columns


def test_without_logits_there_are_gradients_by_qr():
    twin = build("doubly-stochastic", tokens=4, width=2, mixing="qr", kind="classical")
    tokens = torch.zeros(4, 2, requires_grad=True)
    twin(tokens).square().sum().backward()
    assert tokens.grad.isfinite().all()


def test_the_softmax_twin_by_its_formula():
    twin = build(
        "doubly-stochastic", tokens=2, width=1, repetitions=2, mixing="softmax", kind="classical"
    )
    x = torch.tensor([[0.5], [-2.0]])
    logits = twin.queries.weight * twin.keys.weight * (x @ x.T)
    attention = sum(torch.softmax(theta * logits, -1) for theta in twin.theta) / 2
    torch.testing.assert_close(twin(x), attention @ x * twin.contents.weight)


def test_what_can_not_be_built_is_refused():
    with pytest.raises(InputError, match="tokens must be a power of two, got tokens=12"):
        build("doubly-stochastic", tokens=12)
    with pytest.raises(InputError, match="two tokens need an ancilla"):
        build("doubly-stochastic", tokens=2, ancillas=0)
    with pytest.raises(UnknownNameError, match="unknown mixing 'sinkhorm': did you mean"):
        build("doubly-stochastic", mixing="sinkhorm")


def test_it_does_not_stand_under_a_causal_mask():
    with pytest.raises(InputError, match="stands at 'vision', not at 'text'"):
        build_at("text", 8, {"name": "doubly-stochastic", "tokens": 4})
