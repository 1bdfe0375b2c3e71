"""Circuits and requests that several tests of gradients share."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
from qiskit_machine_learning.primitives import QMLEstimator

A, B = ParameterVector("a", 3), ParameterVector("b", 2)
Z0, Z1, XX = SparsePauliOp("IZ"), SparsePauliOp("ZI"), SparsePauliOp(["XX", "ZZ"], [0.5, -1.5])


def two_qubits():
    circuit = QuantumCircuit(2)
    circuit.ry(A[0], 0)
    circuit.rx(A[1], 1)
    circuit.cx(0, 1)
    circuit.rz(A[2], 1)
    circuit.ry(A[0], 1)
    return circuit


def stock(request, estimator=None):
    """The gradients of qiskit-machine-learning."""
    gradient = ParamShiftEstimatorGradient(QMLEstimator() if estimator is None else estimator)
    return gradient.run(*request).result()


def rows_sent(calls):
    """Number of parameter rows of every pub of the only call."""
    ((pubs, _),) = calls
    return [EstimatorPub.coerce(pub).parameter_values.shape for pub in pubs]


def assert_same(ours, theirs):
    assert len(ours.gradients) == len(theirs.gradients)
    for mine, other in zip(ours.gradients, theirs.gradients, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_allclose(mine, other, atol=1e-8)
    assert ours.metadata == theirs.metadata
    assert ours.options == theirs.options


VALUES = np.random.default_rng(1).uniform(-3, 3, (3, 3))
