import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.program.cones import (
    Cone,
    are_worth_it,
    cones_of,
    joint,
    width_under_noise,
)


def bricks(n, depth):
    """The qubits of single gates on all qubits and of pairs, layer by layer, on a ring."""
    acts = []
    for layer in range(depth):
        acts += [(q,) for q in range(n)]
        acts += [(q, (q + 1) % n) for q in range(layer % 2, n, 2)]
    return acts


def shape(cone, acts):
    """A cone's operations on its own labels."""
    label = {qubit: i for i, qubit in enumerate(cone.qubits)}
    return [tuple(label[qubit] for qubit in acts[index]) for index in cone.operations]


def test_strings_that_see_the_same_share_a_cone():
    acts = bricks(12, 3)
    cones = cones_of(acts, [{q} for q in range(12)])
    assert [cone.strings for cone in cones] == [(q, q + 1) for q in range(0, 12, 2)]
    assert {len(cone.qubits) for cone in cones} == {6}


def test_cones_around_a_ring_are_one_shape_however_the_gates_are_listed():
    acts = bricks(12, 3)
    cones = cones_of(acts, [{q} for q in range(12)])
    assert len({tuple(shape(cone, acts)) for cone in cones}) == 1
    rng = np.random.default_rng(0)
    layers = [list(range(18 * layer, 18 * layer + 12)) for layer in range(3)]
    pairs = [list(range(18 * layer + 12, 18 * layer + 18)) for layer in range(3)]
    order = [i for one, two in zip(layers, pairs, strict=True) for i in
             [*rng.permutation(one), *rng.permutation(two)]]  # fmt: skip
    shuffled = [acts[i] for i in order]
    again = cones_of(shuffled, [{q} for q in range(12)])
    assert shape(again[0], shuffled) == shape(cones[0], acts)
    assert len({tuple(shape(cone, shuffled)) for cone in again}) == 1


def test_what_lies_within_another_cone_is_part_of_it():
    acts = [(0, 1), (1, 2), (3,)]
    cones = cones_of(acts, [{0}, {2}, {3}, {0, 2}])
    assert [cone.strings for cone in cones] == [(1, 0, 3), (2,)]
    assert cones[0].operations == (0, 1)
    assert cones[1] == Cone((2,), (3,), (2,))


def test_the_order_of_application_is_kept():
    rng = np.random.default_rng(1)
    acts = [tuple(rng.choice(6, 2, replace=False).tolist()) for _ in range(30)]
    (cone,) = cones_of(acts, [set(range(6))])
    assert sorted(cone.operations) == list(range(30))
    place = {index: i for i, index in enumerate(cone.operations)}
    for i in range(30):
        for j in range(i):
            if set(acts[i]) & set(acts[j]):
                assert place[j] < place[i]


def test_splitting_is_worth_it_where_it_is_far_cheaper():
    cones = [Cone((0, 1), (0, 1), (0,)), Cone((2, 3), (2, 3), (1,))]
    assert len(joint(cones).qubits) == len(joint(cones).operations) == 4
    assert not are_worth_it([8, 8], 64)
    assert are_worth_it([8, 8], 128)


@pytest.mark.parametrize(("label", "width"), [("IIIIZ", 2), ("ZIIII", 0), ("IIIII", 0)])
def test_the_width_of_a_circuits_cones(label, width):
    circuit = QuantumCircuit(5)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.cx(2, 3)
    assert width_under_noise(circuit, [SparsePauliOp(label)]) == width


def test_what_is_boxed_is_looked_into_and_bits_connect():
    pairs = QuantumCircuit(12)
    for qubit in range(0, 12, 2):
        pairs.cx(qubit, qubit + 1)
    boxed = QuantumCircuit(12)
    boxed.append(pairs.to_gate(), range(12))
    assert width_under_noise(boxed, [SparsePauliOp("Z" * 12), SparsePauliOp("I" * 11 + "Z")]) == 12
    assert width_under_noise(boxed, [SparsePauliOp("I" * 11 + "Z")]) == 2
    deciding = QuantumCircuit(3, 1)
    deciding.cx(0, 1)
    deciding.measure(1, 0)
    with deciding.if_test((deciding.clbits[0], 1)):
        deciding.x(2)
    assert width_under_noise(deciding, [SparsePauliOp("ZII")]) == 2
