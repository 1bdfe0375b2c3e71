"""The circuit by density matrices that are measured, turned and traced out level by level."""

import math
from functools import reduce

import pytest
import torch

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.errors import InputError

PAULI = {
    "X": torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128),
    "Y": torch.tensor([[0, -1j], [1j, 0]], dtype=torch.complex128),
    "Z": torch.tensor([[1, 0], [0, -1]], dtype=torch.complex128),
}
ONE = torch.eye(2, dtype=torch.complex128)


def turn(angle, *strings):
    """exp(-iθP/2) of a product of matrices, one for each qubit, the first qubit first."""
    generator = reduce(torch.kron, strings)
    half = angle / 2
    return (
        torch.cos(half) * torch.eye(len(generator), dtype=generator.dtype)
        - 1j * torch.sin(half) * generator
    )


def on(matrix, qubit, n, beside=None):
    """A turn of one Pauli matrix on one qubit, or of the same on two, of n."""
    strings = [ONE] * n
    strings[qubit] = PAULI[matrix]
    if beside is not None:
        strings[beside] = PAULI[matrix]
    return strings


def by_levels(config, weights, features):
    """⟨Z⟩ of the qubits that are left, for one sample."""
    n = config.qubits
    angles = math.pi / 2 * torch.tanh(features)
    amplitudes = [torch.stack([torch.cos(a / 2), torch.sin(a / 2)]) for a in angles]
    state = reduce(torch.kron, amplitudes).to(torch.complex128)
    rho = torch.outer(state, state.conj())
    for given in weights.reshape(config.levels, -1):
        pairs = [(a, a + 1) for a in range(0, n, 2)]
        pairs += [(a, (a + 1) % n) for a in range(1, n, 2)] if n > 2 else []
        for pair in pairs:
            unitary = torch.eye(2**n, dtype=torch.complex128)
            for qubit, own in zip(pair, (given[:3], given[3:6]), strict=True):
                for axis, angle in zip("ZYZ", own, strict=True):
                    unitary = turn(angle, *on(axis, qubit, n)) @ unitary
            for axis, angle in zip("XYZ", given[6:9], strict=True):
                unitary = turn(angle, *on(axis, pair[0], n, beside=pair[1])) @ unitary
            rho = unitary @ rho @ unitary.mH
        for kept in range(1, n, 2):
            branches = 0
            for outcome in (0, 1):
                strings = [ONE] * n
                strings[kept - 1] = (ONE + (1 - 2 * outcome) * PAULI["Z"]) / 2
                branch = turn(given[9], *on("Z", kept, n)) @ reduce(torch.kron, strings)
                if outcome:
                    branch = turn(given[10], *on("X", kept, n)) @ branch
                branches = branches + branch @ rho @ branch.mH
            rho = branches
        for traced in range(0, n // 2):  # after each trace the next measured one is at `traced`
            shape = (2**traced, 2, rho.shape[0] // 2 ** (traced + 1))
            rho = torch.einsum("aibcid->abcd", rho.reshape(*shape, *shape))
            rho = rho.reshape(shape[0] * shape[2], -1)
        n //= 2
    return torch.stack(
        [torch.trace(reduce(torch.kron, on("Z", qubit, n)) @ rho).real for qubit in range(n)]
    )


@pytest.mark.parametrize("sizes", [(2, 1), (4, 1), (4, 2)])
def test_values_and_gradients_are_those_of_measured_states(sizes):
    torch.manual_seed(0)
    core = build("pooling-qcnn", qubits=sizes[0], outputs=sizes[1]).double()
    features = torch.randn(2, sizes[0], dtype=torch.float64, requires_grad=True)
    found = core(features)
    wanted = torch.stack([by_levels(core.config, core.layer.weight, row) for row in features])
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)
    leaves, cotangent = [features, core.layer.weight], torch.randn_like(found)
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves, cotangent),
        torch.autograd.grad(wanted, leaves, cotangent),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("options", "says"), [
    ({"qubits": 6}, "each level halves the qubits: qubits is a power of two, got 6"),
    ({"outputs": 3}, "each level halves the qubits: outputs is a power of two, got 3"),
    ({"qubits": 4, "outputs": 4}, "pooling leaves at most 2 of 4 qubits, and outputs=4"),
])  # fmt: skip
def test_what_can_not_be_halved_is_refused(options, says):
    with pytest.raises(InputError, match=says):
        build("pooling-qcnn", **options)
