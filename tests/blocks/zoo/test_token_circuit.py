"""The reader token by token, on density matrices from which what is left is traced out at once."""

import math

import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Pauli, partial_trace

from qvlm_qiskit.blocks.zoo import build
from qvlm_qiskit.errors import InputError, UnknownNameError


def token_state(features):
    """A token by itself."""
    qubits = len(features) // 2
    circuit = QuantumCircuit(qubits)
    for qubit in range(qubits):
        circuit.ry(math.pi / 2 * math.tanh(features[2 * qubit]), qubit)
        circuit.rz(math.pi / 2 * math.tanh(features[2 * qubit + 1]), qubit)
    if qubits == 2:
        circuit.cx(0, 1)
    return DensityMatrix(circuit)


def composed(one, other, angles):
    """What goes on of two states that were never together before."""
    qubits = one.num_qubits + other.num_qubits
    circuit = QuantumCircuit(qubits)
    for layer in angles.reshape(-1, qubits, 3).tolist():
        for qubit, (y, z, x) in enumerate(layer):
            circuit.ry(y, qubit)
            circuit.rz(z, qubit)
            circuit.rx(x, qubit)
        for qubit in range(qubits):
            circuit.cx(qubit, (qubit + 1) % qubits)
    return partial_trace(other.tensor(one).evolve(circuit), range(one.num_qubits))


def read(state):
    """⟨Z⟩ and ⟨X⟩ of each qubit."""
    labels = {1: ("Z", "X"), 2: ("IZ", "IX", "ZI", "XI")}[state.num_qubits]
    return [state.expectation_value(Pauli(label)).real for label in labels]


@pytest.mark.parametrize("qubits", [1, 2])
def test_stairs_take_one_token_after_the_other(qubits):
    torch.manual_seed(0)
    core = build("token-circuit", tokens=4, qubits=qubits).double()
    tokens = torch.randn(4, 2 * qubits, dtype=torch.float64)
    first, *others = (token_state(token) for token in tokens.tolist())
    for token in others:
        first = composed(first, token, core.layer.weight)
    torch.testing.assert_close(core(tokens)[0].tolist(), read(first), rtol=0, atol=1e-10)


@pytest.mark.parametrize("qubits", [1, 2])
def test_a_tree_takes_neighbours_and_then_their_results(qubits):
    torch.manual_seed(0)
    core = build("token-circuit", tokens=8, qubits=qubits, reader="tree", repetitions=1).double()
    tokens = torch.randn(8, 2 * qubits, dtype=torch.float64)
    states = [token_state(token) for token in tokens.tolist()]
    for angles in core.layer.weight.reshape(3, -1):
        pairs = zip(states[::2], states[1::2], strict=True)
        states = [composed(one, other, angles) for one, other in pairs]
    torch.testing.assert_close(core(tokens)[0].tolist(), read(states[0]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("reader", ["stairs", "tree"])
def test_the_twin_composes_in_the_same_order(reader):
    torch.manual_seed(0)
    twin = build("token-circuit", tokens=4, reader=reader, kind="classical")
    tokens = torch.randn(5, 4, 2)
    a, b, c, d = torch.tanh(tokens).unbind(1)

    def box(level, one, other):
        return twin.boxes[level](torch.cat([one, other], -1))

    if reader == "stairs":
        wanted = box(0, box(0, box(0, a, b), c), d)
    else:
        wanted = box(1, box(0, a, b), box(0, c, d))
    torch.testing.assert_close(twin(tokens)[:, 0], wanted)


@pytest.mark.parametrize("kind", ["quantum", "classical"])
@pytest.mark.parametrize("reader", ["stairs", "tree"])
def test_every_token_has_an_influence(kind, reader):
    torch.manual_seed(0)
    core = build("token-circuit", reader=reader, kind=kind).double()
    tokens = torch.randn(1, 8, 2, dtype=torch.float64, requires_grad=True)
    core(tokens).sum().backward()
    assert (tokens.grad.abs().sum(-1) > 1e-9).all()


def test_a_lookup_before_it_makes_angles_of_kinds_of_tokens():
    model = torch.nn.Sequential(torch.nn.Embedding(20, 2), build("token-circuit"))
    model(torch.randint(20, (3, 8))).sum().backward()
    assert model[0].weight.grad.abs().sum() > 0


def test_what_can_not_be_built_is_refused():
    with pytest.raises(InputError, match="a tree needs a power of two of tokens, got tokens=6"):
        build("token-circuit", tokens=6, reader="tree")
    with pytest.raises(InputError, match="tokens=11 of qubits=2 are more than 20 qubits"):
        build("token-circuit", tokens=11, qubits=2)
    with pytest.raises(UnknownNameError, match="unknown reader 'stair': did you mean 'stairs'"):
        build("token-circuit", reader="stair")
