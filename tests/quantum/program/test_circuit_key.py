import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import CXGate, PauliEvolutionGate, QFTGate, UnitaryGate
from qiskit.quantum_info import Clifford, SparsePauliOp

from qvlm_qiskit.quantum import AmplitudeEncoding
from qvlm_qiskit.quantum.program.circuit_key import circuit_key

A, B, C, X = (Parameter(name) for name in "abcx")


def on_two(operation):
    circuit = QuantumCircuit(2)
    circuit.append(operation, range(operation.num_qubits))
    return circuit


def rotated(angle, gate="rx"):
    circuit = QuantumCircuit(2)
    getattr(circuit, gate)(angle, 0)
    return circuit


def named(name, circuit):
    gate = Gate(name, 2, [])
    gate.definition = circuit
    return on_two(gate)


DIFFERENT = [
    lambda: rotated(X),
    lambda: rotated(Parameter("x")),
    lambda: rotated(X, "ry"),
    lambda: rotated(0.1),
    lambda: rotated(np.nextafter(0.1, 1)),
    lambda: rotated(2 * X),
    lambda: rotated(np.nextafter(2, 3) * X),
    lambda: rotated(B / (-(A * C))),
    lambda: rotated((B / (-A)) * C),
    lambda: rotated(2e-16 * X),
    lambda: rotated(1e-16 * X),
    lambda: rotated(X.exp()),
    lambda: rotated(X.sin()),
    lambda: on_two(CXGate()),
    lambda: on_two(CXGate(ctrl_state=0)),
    lambda: on_two(QFTGate(2)),
    lambda: on_two(Clifford(QuantumCircuit(2))),
    lambda: on_two(UnitaryGate(np.eye(2))),
    lambda: on_two(UnitaryGate(np.diag([1, np.exp(1e-15j)]))),
    lambda: on_two(PauliEvolutionGate(SparsePauliOp("XX"), X)),
    lambda: on_two(PauliEvolutionGate(SparsePauliOp("XZ"), X)),
    lambda: on_two(AmplitudeEncoding([A, B, C])),
    lambda: on_two(AmplitudeEncoding([A, C, B])),
    lambda: named("mine", rotated(0.3)),
    lambda: named("mine", rotated(0.4)),
    lambda: QuantumCircuit(2),
    lambda: QuantumCircuit(3),
]


@pytest.mark.parametrize("made", [make for i, make in enumerate(DIFFERENT) if i != 1])
def test_circuits_that_are_made_again_have_the_same_key(made):
    assert circuit_key(made()) == circuit_key(made())
    assert circuit_key(made().copy(name="other")) == circuit_key(made())


def test_circuits_that_do_something_else_have_other_keys():
    assert len({circuit_key(made()) for made in DIFFERENT}) == len(DIFFERENT)


def test_a_circuit_that_is_changed_in_place_has_another_key():
    circuit = rotated(X)
    before = circuit_key(circuit)
    circuit.h(1)
    assert circuit_key(circuit) != before
    circuit = named("mine", rotated(0.3))
    before = circuit_key(circuit)
    circuit.data[0].operation.definition.h(1)
    assert circuit_key(circuit) != before
