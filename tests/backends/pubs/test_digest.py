"""Identities of circuits and pubs."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, QuantumRegister, qpy
from qiskit.circuit import Gate, Parameter, ParameterVector
from qiskit.circuit.library import RXGate, UnitaryGate, XGate
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import Clifford, SparsePauliOp, random_unitary

from qvlm_qiskit.backends.pubs.digest import circuit_digest, pub_digest, unchanged_circuits
from qvlm_qiskit.errors import CircuitError


def test_equal_circuits_built_twice_have_one_digest(make_circuit):
    assert circuit_digest(make_circuit(custom=True)) == circuit_digest(make_circuit(custom=True))


def test_names_and_metadata_do_not_count():
    plain = QuantumCircuit(2)
    plain.h(1)
    named = QuantumCircuit(QuantumRegister(2, "other"), name="other", metadata={"a": 1})
    named.h(1)
    assert circuit_digest(plain) == circuit_digest(named)


def variants():
    theta = Parameter("theta")
    phi = Parameter("phi")

    def build(*steps, num_qubits=2):
        circuit = QuantumCircuit(num_qubits)
        for name, *arguments in steps:
            getattr(circuit, name)(*arguments)
        return circuit

    circuits = {
        "empty": build(),
        "wider": build(num_qubits=3),
        "ry 0": build(("ry", 0.1, 0)),
        "ry 1": build(("ry", 0.1, 1)),
        "ry last bit": build(("ry", np.nextafter(0.1, 1), 0)),
        "rx": build(("rx", 0.1, 0)),
        "theta": build(("ry", theta, 0)),
        "phi": build(("ry", phi, 0)),
        "2 theta": build(("ry", 2 * theta, 0)),
        "theta + 0.5": build(("ry", theta + 0.5, 0)),
        "theta + 0.5 + last bit": build(("ry", theta + np.nextafter(0.5, 1), 0)),
        "theta + 1e-9": build(("ry", theta + 1e-9, 0)),
        "cx 01": build(("cx", 0, 1)),
        "cx 10": build(("cx", 1, 0)),
        "open control": build(("append", XGate().control(1, ctrl_state=0), [0, 1])),
        "order": build(("h", 0), ("cx", 0, 1)),
        "other order": build(("cx", 0, 1), ("h", 0)),
        "barrier": build(("barrier",)),
        "delay": build(("delay", 100.0, 0, "us")),
        "delay ns": build(("delay", 100.0, 0, "ns")),
    }
    phased = QuantumCircuit(2, global_phase=0.5)
    circuits["phase"] = phased
    for seed in (1, 2):
        unitary = QuantumCircuit(2)
        unitary.append(UnitaryGate(random_unitary(4, seed=seed)), [0, 1])
        circuits[f"unitary {seed}"] = unitary
        definition = QuantumCircuit(1, name="mine")
        definition.rx(0.1 * seed, 0)
        custom = QuantumCircuit(2)
        custom.append(definition.to_gate(), [0])
        circuits[f"definition {seed}"] = custom
    return circuits


def test_different_circuits_have_different_digests():
    digests = {name: circuit_digest(circuit) for name, circuit in variants().items()}
    assert len(set(digests.values())) == len(digests)


def test_a_changed_circuit_has_another_digest():
    circuit = QuantumCircuit(1)
    circuit.rx(0.1, 0)
    before = circuit_digest(circuit)
    circuit.data[0] = circuit.data[0].replace(operation=circuit.data[0].operation.inverse())
    assert circuit_digest(circuit) != before


def test_a_changed_definition_is_noticed(custom_gate):
    angles = ParameterVector("t", 3)
    circuit = QuantumCircuit(2)
    circuit.append(custom_gate(angles), [0, 1])
    before = circuit_digest(circuit)
    assert circuit_digest(circuit) == before
    swapped = QuantumCircuit(2)
    swapped.append(custom_gate([angles[0], angles[2], angles[1]]), [0, 1])
    assert circuit_digest(swapped) != before


def test_opaque_gates_have_no_identity():
    opaque = QuantumCircuit(1)
    opaque.append(Gate("opaque", 1, []), [0])
    with pytest.raises(CircuitError, match="no definition"):
        circuit_digest(opaque)


def conditional(bit=0, value=1, angle=0.3, measured=0):
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, measured)
    with circuit.if_test((circuit.clbits[bit], value)):
        circuit.rx(angle, 0)
    return circuit


def test_conditions_are_part_of_the_identity():
    others = [conditional(1), conditional(0, 0), conditional(angle=0.4), conditional(measured=1)]
    assert len({circuit_digest(circuit) for circuit in (conditional(), *others)}) == 5
    assert circuit_digest(conditional()) == circuit_digest(conditional().copy())
    file = io.BytesIO()
    qpy.dump(conditional(), file)
    file.seek(0)
    assert circuit_digest(qpy.load(file)[0]) == circuit_digest(conditional())


def pub(values, observables=("ZI",), precision=0.1):
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    operators = [SparsePauliOp(label) for label in observables]
    return EstimatorPub.coerce((circuit, operators, values), precision)


def test_observables_are_compared_by_content():
    one = pub([0.1], [["ZI", "XX"]])
    same = EstimatorPub.coerce((one.circuit, [{"XX": 1.0, "ZI": 1.0}], [0.1]), 0.1)
    other = EstimatorPub.coerce((one.circuit, [{"XX": 1.0, "IZ": 1.0}], [0.1]), 0.1)
    heavier = EstimatorPub.coerce((one.circuit, [{"XX": 1.0, "ZI": 2.0}], [0.1]), 0.1)
    nested = EstimatorPub.coerce((one.circuit, [[{"XX": 1.0, "ZI": 1.0}]], [0.1]), 0.1)
    assert pub_digest(one) == pub_digest(same)
    assert len({pub_digest(p) for p in (one, other, heavier, nested)}) == 4


@settings(max_examples=50, deadline=None)
@given(
    a=st.lists(st.floats(-10, 10), min_size=1, max_size=3),
    b=st.lists(st.floats(-10, 10), min_size=1, max_size=3),
)
def test_values_are_compared_to_the_last_bit(a, b):
    same_bytes = np.array(a).tobytes() == np.array(b).tobytes() and len(a) == len(b)
    digests = [pub_digest(pub(np.array(values)[:, None])) for values in (a, b)]
    assert (digests[0] == digests[1]) == same_bytes


def test_precision_counts():
    assert pub_digest(pub([0.1], precision=0.1)) != pub_digest(pub([0.1], precision=0.2))


def through_qpy(circuit):
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    buffer.seek(0)
    return qpy.load(buffer)[0]


def rotation(angle):
    circuit = QuantumCircuit(1)
    circuit.rx(angle, 0)
    return circuit


def test_a_definition_that_was_changed_in_place_is_noticed():
    gate = rotation(0.1)
    gate.name = "mine"
    circuit = QuantumCircuit(1)
    circuit.append(gate.to_gate(), [0])
    seen = [circuit_digest(circuit)]
    definition = circuit.data[0].operation.definition
    definition.data[0] = definition.data[0].replace(operation=RXGate(0.2))
    seen.append(circuit_digest(circuit))
    definition.global_phase = 1.0
    seen.append(circuit_digest(circuit))
    assert len(set(seen)) == 3


def test_qpy_keeps_the_identity_of_expressions_and_custom_gates(custom_gate):
    x, y, z = (Parameter(name) for name in "xyz")
    for angle in (-x + y / 3 + 4, z.cos() * y, x * z * (-2 / 15), 1 - (x - y), x / (2 * y) * z):
        circuit = rotation(angle)
        assert circuit_digest(through_qpy(circuit)) == circuit_digest(circuit)
    circuit = QuantumCircuit(2)
    circuit.append(custom_gate(ParameterVector("t", 3)), [0, 1])
    assert circuit_digest(through_qpy(circuit)) == circuit_digest(circuit)


def test_identities_stay_what_they_were():
    """Ledgers are kept under them: these were made by the release that read Qiskit's texts."""
    x, y, z = (Parameter(name) for name in "xyz")
    digests = {
        "a3415c541d64801a": x,
        "11858fb9f43db670": 2 * x + 0.1,
        "d11c9cca7fa85200": -x + y / 3 + 4,
        "e159cef0133baa6e": 1.5 * x - 2.5,
        "ba9b38087f6159a9": x * y,
        "9cfaa3cb241ea15f": z.cos() ** 2 * y,
        "55266adbf84d42fd": x - x + y,
        "9122eecaa1d16f20": 1 - x,
    }
    for digest, angle in digests.items():
        assert circuit_digest(rotation(angle)).startswith(digest), str(angle)


def test_what_has_neither_definition_nor_parameters_is_taken_by_its_matrix():
    circuits = []
    for gate in ("h", "x"):
        inner = QuantumCircuit(1)
        getattr(inner, gate)(0)
        circuit = QuantumCircuit(1)
        circuit.append(Clifford(inner), [0])
        circuits.append(circuit)
    assert circuit_digest(circuits[0]) != circuit_digest(circuits[1])


def test_a_circuit_that_does_not_change_is_walked_once():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    before = circuit_digest(circuit)
    with unchanged_circuits():
        assert circuit_digest(circuit) == before
        circuit.x(0)  # what this work must not do
        assert circuit_digest(circuit) == before
    assert circuit_digest(circuit) not in (before, circuit_digest(QuantumCircuit(1)))
