"""What a circuit becomes, and which circuits are refused."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    QuantumLayer,
    TorchEstimator,
)
from qvlm_qiskit.quantum.gradients.adjoint import AdjointSweep
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

X = Parameter("x")


def test_a_parameter_of_the_global_phase_is_of_no_consequence(twin):
    y = Parameter("y")
    circuit = QuantumCircuit(2, global_phase=2 * y + X)
    circuit.ry(X, 0)
    network = EstimatorQNN(
        circuit=circuit, input_params=[X], weight_params=[y], estimator=TorchEstimator()
    )
    layer = QuantumLayer(network)
    values = layer(torch.tensor([[0.4]]))
    values.sum().backward()
    np.testing.assert_allclose(values.detach(), np.cos([[0.4]]), atol=1e-6)
    assert layer.weight.grad == 0
    exact = TorchEstimator(dtype="complex128").values(circuit, [SparsePauliOp("ZX")], [[0.4, 1.0]])
    np.testing.assert_allclose(
        exact, twin(circuit, [SparsePauliOp("ZX")], [[0.4, 1.0]]), atol=1e-12
    )


def test_unbound_parameters_are_refused_by_estimator_and_layer():
    circuit = QuantumCircuit(1)
    circuit.ry(X + Parameter("forgotten"), 0)
    with pytest.raises(ValueError, match="forgotten"):
        TorchEstimator().run([(circuit, "Z", [0.1])])
    with pytest.raises(ValueError, match="parameters"):
        EstimatorQNN(circuit=circuit, input_params=[X], estimator=TorchEstimator())


def test_too_many_active_qubits_raise():
    circuit = QuantumCircuit(state_qubits() + 1)
    circuit.h(range(state_qubits() + 1))
    everything = SparsePauliOp("Z" * circuit.num_qubits)
    circuit.cx(range(state_qubits()), range(1, circuit.num_qubits))
    program = compile_circuit(circuit)
    for refused in (
        lambda: StatevectorEngine(program, [everything], 0),
        lambda: AdjointSweep(program, [everything]),
    ):
        with pytest.raises(CapacityError, match=str(state_qubits() + 1)):
            refused()


def test_idle_qubits_do_not_count_against_the_capacity():
    circuit = QuantumCircuit(100)
    circuit.h(70)
    circuit.cx(70, 3)
    program = compile_circuit(circuit)
    assert (program.num_qubits, program.active) == (2, (3, 70))


def test_a_parameter_without_a_value_raises_by_name():
    circuit = QuantumCircuit(1)
    circuit.rx(X, 0)
    with pytest.raises(CircuitError, match="x"):
        compile_circuit(circuit, [Parameter("other")])


def test_a_complex_angle_is_refused():
    circuit = QuantumCircuit(1)
    circuit.rx(X * 1j, 0)
    with pytest.raises(CircuitError, match="real"):
        compile_circuit(circuit)


@pytest.mark.parametrize("rows", [[[-2.0]], [[-2.0], [3.0]]])
def test_an_expression_that_has_no_derivative_is_computed_or_named(rows, twin):
    circuit = QuantumCircuit(1)
    circuit.ry(X.sign() * 0.5 + 0.2, 0)
    observables = [SparsePauliOp("Z")]
    try:
        values = TorchEstimator(dtype="complex128").values(circuit, observables, rows)
    except CircuitError:
        return
    np.testing.assert_allclose(values, twin(circuit, observables, rows))


def test_compiling_leaves_the_circuit_alone():
    circuit = QuantumCircuit(2)
    circuit.append(AmplitudeEncoding(list(ParameterVector("a", 3))), [0, 1])
    circuit.crx(X, 0, 1)
    before = circuit.copy()
    compile_circuit(circuit)
    assert circuit == before
