"""Layers of two-qubit gates, their Paulis, and the bases that read them."""

import itertools

import pytest
from qiskit import QuantumCircuit
from qiskit.transpiler import CouplingMap, Target

from qvlm_qiskit.backends.mitigation.layers import Layer, Layered, Support, as_listed
from qvlm_qiskit.errors import MitigationError


def chain(*pairs, gate="cz", num_qubits=5):
    circuit = QuantumCircuit(num_qubits)
    for pair in pairs:
        circuit.sx(pair[0])
        getattr(circuit, gate)(*pair)
    return circuit


def coupled(width):
    pairs = [(q, q + 1) for q in range(width - 1)]
    return Target.from_configuration(
        ["rz", "sx", "cz"], num_qubits=width, coupling_map=CouplingMap(pairs)
    )


def test_gates_that_can_be_made_at_one_time_are_a_layer_and_equal_layers_are_one():
    layered = Layered.of(chain((0, 1), (2, 3), (1, 2), (0, 1), (2, 3)), "pea")
    both, middle = Layer((("cz", (0, 1)), ("cz", (2, 3)))), Layer((("cz", (1, 2)),))
    assert layered.layers == (both, middle, both)
    assert layered.unique == (both, middle)
    assert layered.places == {1: 0, 3: 0, 5: 1, 7: 2, 9: 2}
    assert (both.qubits, str(both)) == ((0, 1, 2, 3), "cz 0-1, cz 2-3")


def test_barriers_keep_gates_apart_and_gates_on_one_qubit_make_no_layer():
    circuit = chain((0, 1))
    circuit.barrier()
    circuit.cz(2, 3)
    assert [layer.qubits for layer in Layered.of(circuit, "pea").layers] == [(0, 1), (2, 3)]
    assert Layered.of(chain(gate="cz"), "pea").layers == ()


def test_directed_gates_are_layers_of_their_own():
    layered = Layered.of(chain((1, 0), (0, 1), gate="ecr"), "pea")
    assert len(layered.unique) == 2


def test_gates_without_a_direction_are_one_layer_whatever_the_order_of_their_qubits():
    layered = Layered.of(chain((1, 0), (0, 1)), "pea")
    assert layered.unique == (Layer((("cz", (0, 1)),)),)
    backwards = Target.from_configuration(["cz"], 2, coupling_map=CouplingMap([(1, 0)]))
    assert as_listed(("cz", (0, 1)), backwards) == ("cz", (1, 0))
    assert as_listed(("cz", (0, 1)), coupled(2)) == ("cz", (0, 1))
    assert as_listed(("ecr", (0, 1)), backwards) == ("ecr", (0, 1))


def test_a_gate_that_is_not_its_own_inverse_is_refused():
    circuit = QuantumCircuit(2)
    circuit.rzz(0.3, 0, 1)
    with pytest.raises(MitigationError, match="pea can't learn the noise of the gate 'rzz'"):
        Layered.of(circuit, "pea")


@pytest.mark.parametrize("width", [2, 4, 6])
def test_every_pauli_of_neighbours_is_read_by_the_nine_bases(width):
    gates = tuple(("cz", (q, q + 1)) for q in range(0, width, 2))
    support = Support.of(Layer(gates), coupled(width))
    assert len(support.paulis) == 3 * width + 9 * (width - 1)
    counts = [sum(row in support.read_in(basis) for basis in support.bases)
              for row in range(len(support.paulis))]  # fmt: skip
    assert counts == [3] * (3 * width) + [1] * (9 * (width - 1))
    assert len(set(support.bases)) == 9


def test_bits_are_those_of_the_labels():
    support = Support.of(Layer((("cz", (3, 7)),)), Target.from_configuration(["cz"], 8))
    rows = dict(zip(support.paulis, support.bits().astype(int).tolist(), strict=True))
    assert rows["Y", (1,)] == [0, 1, 0, 1]
    assert rows["XZ", (0, 1)] == [1, 0, 0, 1]
    assert len(set(map(tuple, rows.values()))) == 15


def test_qubits_that_are_all_coupled_take_up_to_four_colours():
    pairs = [*itertools.permutations(range(6), 2)]
    target = Target.from_configuration(["cz"], num_qubits=6, coupling_map=CouplingMap(pairs))
    four = Support.of(Layer((("cz", (0, 1)), ("cz", (2, 3)))), target)
    assert min(sum(r in four.read_in(b) for b in four.bases) for r in range(66)) == 1
    with pytest.raises(MitigationError, match="more than four colours"):
        Support.of(Layer((("cz", (0, 1)), ("cz", (2, 3)), ("cz", (4, 5)))), target)
