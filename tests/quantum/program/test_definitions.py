"""What has no definition is refused by its name."""

import numpy as np
import pytest
import qiskit_aer  # noqa: F401  (gives circuits their save_statevector)
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.classical import expr
from qiskit.circuit.library import HamiltonianGate
from qiskit.quantum_info import Kraus, SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import (
    BatchedEstimatorGradient,
    QuantumLayer,
    TorchEstimator,
)
from qvlm_qiskit.quantum.program.program import compile_circuit

X = Parameter("x")


def while_looped(circuit):
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.x(0)


def stored(circuit):
    circuit.store(circuit.add_var("v", expr.lift(False)), expr.lift(True))


def saved(circuit):
    circuit.save_statevector()


def channel(circuit):
    circuit.append(Kraus([np.eye(2) * 0.6, np.diag([0.8, -0.8])]), [0])


# the name that the error must give → what puts such an instruction into a circuit
NOT_UNITARY = [
    ("while_loop", while_looped),
    ("store", stored),
    ("kraus", channel),
    ("save_statevector", saved),
]


def ways_to_run(circuit):
    """The program, the estimator, and a layer in both directions."""
    yield lambda: compile_circuit(circuit)
    yield TorchEstimator().run([(circuit, "ZZ", [0.1])]).result
    network = EstimatorQNN(
        circuit=circuit, input_params=[X], estimator=TorchEstimator(), input_gradients=True
    )
    yield lambda: QuantumLayer(network)(torch.zeros(1, 1))
    gradient = BatchedEstimatorGradient(TorchEstimator(), "adjoint")
    yield gradient.run([circuit], [SparsePauliOp("ZZ")], [[0.1]]).result


@pytest.mark.parametrize(("name", "spoil"), NOT_UNITARY, ids=lambda p: getattr(p, "__name__", ""))
def test_instructions_that_are_not_unitary_raise_by_name(name, spoil):
    circuit = QuantumCircuit(2, 1)
    circuit.ry(X, 0)
    spoil(circuit)
    for run in ways_to_run(circuit):
        with pytest.raises(CircuitError, match=f"instruction '{name}'"):
            run()


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        ("mystery", Gate("mystery", 1, [])),
        ("mystery", Gate("mystery", 1, [X])),
    ],
)
def test_gates_that_cannot_be_taken_apart_raise_by_name(name, gate):
    circuit = QuantumCircuit(2)
    circuit.ry(X, 0)
    circuit.append(gate, [0])
    for run in ways_to_run(circuit):
        with pytest.raises(CircuitError, match=f"gate '{name}'"):
            run()
    if gate.params:
        shifts = BatchedEstimatorGradient(TorchEstimator())
        with pytest.raises(CircuitError, match=f"'{name}'"):
            shifts.run([circuit], [SparsePauliOp("ZZ")], [[0.1]]).result()


def test_a_gate_that_needs_numbers_is_run_row_by_row_and_not_compiled():
    circuit = QuantumCircuit(2)
    circuit.ry(X, 0)
    circuit.append(HamiltonianGate(np.diag([1.0, -1.0]), X), [0])
    with pytest.raises(CircuitError, match="gate 'hamiltonian' needs numbers"):
        compile_circuit(circuit)
    found = TorchEstimator(dtype="complex128").run([(circuit, "ZZ", [[0.1], [0.7]])]).result()
    np.testing.assert_allclose(found[0].data.evs, np.cos([0.1, 0.7]), atol=1e-12)
