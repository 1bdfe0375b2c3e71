"""Circuits with free angles."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import Operator

from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.errors import MitigationError


def test_a_template_with_its_angles_is_the_circuit():
    first, second = Parameter("b"), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.rz(0.3, 0)
    circuit.sx(0)
    circuit.rz(2 * first - second / 3 + 0.1, 0)
    circuit.cz(0, 1)
    circuit.rz(second, 1)
    circuit.rz(first * second, 0)
    circuit.u(first, 0.2, -second, 1)
    values = np.array([[[0.3, 0.5]], [[-1.0, 2.0]]])
    pub = EstimatorPub.coerce((circuit, "ZZ", values))
    template = AngleTemplate.of(circuit, "test")
    angles = template.angles(pub.parameter_values)
    assert angles.shape == (2, 1, 7)
    for row, value in zip(angles.reshape(2, -1), values.reshape(2, -1), strict=True):
        bound = template.circuit.assign_parameters(row)
        assert Operator(bound).equiv(Operator(circuit.assign_parameters(value)))


def test_gates_without_angles_can_not_be_varied():
    circuit = QuantumCircuit(2)
    circuit.append(XXPlusYYGate(0.1), [0, 1])
    with pytest.raises(MitigationError, match="'xx_plus_yy'"):
        AngleTemplate.of(circuit, "cdr")


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_an_angle_that_is_not_real_or_not_finite_is_refused(value):
    circuit, free = QuantumCircuit(1), Parameter("a")
    circuit.rz(free.log(), 0)
    pub = EstimatorPub.coerce((circuit, "Z", [[2.0], [value]]))
    with pytest.raises(MitigationError, match="not a real number"):
        AngleTemplate.of(circuit, "test").angles(pub.parameter_values)
