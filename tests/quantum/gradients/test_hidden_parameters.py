"""Parameters inside control flow."""

import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.gradients.hidden_parameters import has_parameters
from tests.quantum.gradients.three_qubits import P, gradients


def test_parameters_inside_loops_are_refused():
    circuit = QuantumCircuit(3, 1)
    circuit.ry(P[0], 0)
    with circuit.for_loop(range(2)):
        circuit.rx(P[1], 1)
    with pytest.raises(CircuitError, match="for_loop"):
        gradients(circuit, [[0.1, 0.2]])


def test_control_flow_without_parameters_is_left_as_it_is():
    circuit = QuantumCircuit(1, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    assert not has_parameters(circuit.data[0].operation)
