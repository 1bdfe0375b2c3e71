"""The fast network is the stock one: circuits, parameters, values, gradients, copies, errors."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression, ParameterVector
from qiskit.circuit.library import efficient_su2, zz_feature_map
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.blocks.core import build_core
from qvlm_qiskit.quantum import AmplitudeEncoding, make_qnn, network, z_observables
from tests.quantum.problems import GATES, PARAMETERS, gate_applications

A = ParameterVector("a", 31)
# more than one parameter in an angle, in an order that is not that of their names
SUMS = [A[i] * A[30 - i] - A[(i + 7) % 31].sin() / 2 for i in range(31)]


def loaded(angles=tuple(A), made=False):
    """31 parameters in one gate, whose definition may already be made."""
    circuit = QuantumCircuit(5)
    gate = AmplitudeEncoding(list(angles))
    circuit.append(gate, range(5))
    if made:
        assert circuit.data[0].operation.definition
    circuit.rx(A[3], 0)
    circuit.cx(0, 4)
    return circuit


def nested(wrap):
    gate = wrap(loaded(made=True))
    circuit = QuantumCircuit(gate.num_qubits + 1, gate.num_clbits)
    circuit.h(5)
    circuit.append(gate, range(gate.num_qubits), range(gate.num_clbits))
    circuit.global_phase = A[0] + A[1]
    return circuit


def measured(circuit):
    circuit.add_register(QuantumCircuit(0, 1).clbits)
    circuit.measure(0, 0)
    return circuit.to_instruction()


CIRCUITS = {
    "load": loaded,
    "load with definition": lambda: loaded(made=True),
    "load of expressions": lambda: loaded(SUMS),
    "load of expressions with definition": lambda: loaded(SUMS, made=True),
    "load of some numbers": lambda: loaded([0.3, *A[1:]], made=True),
    "gate": lambda: nested(QuantumCircuit.to_gate),
    "gate in a gate": lambda: nested(lambda c: nested(lambda _: c.to_gate()).to_gate()),
    "controlled": lambda: nested(lambda c: c.to_gate().control(1, ctrl_state=0, annotated=False)),
    "annotated": lambda: nested(lambda c: c.to_gate().control(1, annotated=True)),
    "instruction": lambda: nested(measured),
    "library": lambda: efficient_su2(5, reps=3),
    "feature map": lambda: zz_feature_map(5),
}


def stock(network):
    """The circuit that the stock network makes."""
    inputs, weights = network.input_params, network.weight_params
    return EstimatorQNN._reparameterize_circuit(network, network.circuit, inputs, weights)


def spelled(circuit):
    """Every instruction, its expressions and its definition so far, in words."""
    return [
        (
            each.name,
            [circuit.find_bit(bit).index for bit in each.qubits],
            [(type(p), str(p)) for p in each.params if isinstance(p, ParameterExpression | float)],
            None if definition is None else spelled(definition),
        )
        for each in circuit.data
        for definition in [getattr(each.operation, "_definition", None)]
    ]


def check_same(ours, theirs):
    assert [p.name for p in ours.parameters] == [p.name for p in theirs.parameters]
    assert spelled(ours) == spelled(theirs)
    assert circuit_digest(ours) == circuit_digest(theirs)
    assert str(ours.global_phase) == str(theirs.global_phase)
    common = [Parameter(f"common {i}") for i in range(theirs.num_parameters)]
    assert ours.assign_parameters(common) == theirs.assign_parameters(common)
    assert (ours.metadata, ours.qregs, ours.cregs) == (
        theirs.metadata,
        theirs.qregs,
        theirs.cregs,
    )


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_circuit_is_the_stock_one(name):
    circuit = CIRCUITS[name]()
    before = spelled(circuit)
    parameters = list(circuit.parameters)
    mine = make_qnn(circuit, parameters[1::2], parameters[::2])
    theirs = stock(mine)
    assert spelled(circuit) == before
    check_same(mine._circuit, theirs)


@pytest.mark.parametrize(("qubits", "layers", "positional"), [(5, 2, False), (6, 4, True)])
def test_the_blocks_circuits_are_the_stock_ones(qubits, layers, positional):
    mine = build_core("quantum", qubits, layers, positional).layer.neural_network
    check_same(mine._circuit, stock(mine))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_every_gate_renamed_here_is_the_one_renamed_by_qiskit(data):
    circuit = QuantumCircuit(3)
    for gate, qubits in data.draw(st.lists(gate_applications(3, GATES), min_size=5, max_size=20)):
        circuit.append(gate, qubits)
    old = data.draw(st.permutations([p for p in PARAMETERS if p in circuit.parameters]))
    names = dict(zip(old, ParameterVector("new", len(old)), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "WIDE", 0)
        mine = network.renamed(circuit, names)
    theirs = circuit.assign_parameters(names)
    assert spelled(mine) == spelled(theirs)
    assert mine == theirs
    assert circuit_digest(mine) == circuit_digest(theirs)


def test_many_parameters_are_not_looked_for_one_by_one(monkeypatch):
    asked = []
    view = type(QuantumCircuit().parameters)
    monkeypatch.setattr(view, "__contains__", lambda *_: asked.append(1) or True)
    circuit = loaded()
    assert make_qnn(circuit, list(A), [])._circuit.num_parameters == 31
    assert asked == []


def test_values_gradients_and_copies_are_the_stock_ones():
    angles = ParameterVector("angle", 31)
    weight = Parameter("w")
    circuit = QuantumCircuit(5)
    circuit.append(AmplitudeEncoding(list(angles)), range(5))
    circuit.rx(weight * 2, 3)
    mine = make_qnn(circuit, list(angles), [weight], z_observables(5)[2:3])
    mine._default_precision = 0.0
    theirs = copy.deepcopy(mine)
    theirs._circuit = stock(mine)
    rows = np.random.default_rng(0).uniform(-2, 2, (2, 31))
    expected = theirs.forward(rows, [0.4])
    slopes = theirs.backward(rows[:1], [0.4])
    for each in (mine, copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert isinstance(each, EstimatorQNN)
        np.testing.assert_array_equal(each.forward(rows, [0.4]), expected)
        values = TorchConnector(each, np.array([0.4]))(torch.as_tensor(rows))
        np.testing.assert_allclose(values.detach(), expected, atol=1e-6)
    for found, wanted in zip(mine.backward(rows[:1], [0.4]), slopes, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", [make_qnn, None])
@pytest.mark.parametrize(
    ("inputs", "weights", "message"),
    [
        (A[:3], A[3:5], "Number of circuit parameters"),
        (A[:30], [Parameter("b")], "Weight param b"),
        ([Parameter("b"), *A[1:31]], [], "Input param `b`"),
    ],
)
def test_wrong_parameters_are_refused_in_the_stock_words(kind, inputs, weights, message):
    def make(*given):
        return EstimatorQNN(circuit=given[0], input_params=given[1], weight_params=given[2])

    with pytest.raises(ValueError, match=message):
        (kind or make)(loaded(), list(inputs), list(weights))


def test_a_circuit_without_parameters_stays_as_it_is():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    assert make_qnn(circuit, [], [])._circuit is circuit
