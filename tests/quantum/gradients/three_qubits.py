"""Gradients of two observables on three qubits, which the tests of shift rules share."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient

P = ParameterVector("p", 4)
OBSERVABLES = [
    SparsePauliOp(["IIZ", "XYI"], [1.0, 0.7]),
    SparsePauliOp(["YIX", "ZZZ", "III"], [-0.4, 1.2, 3.0]),
]


def gradients(circuit, values, estimator=None, parameters=None):
    """``(n_observables, n_vectors, n_parameters)`` from one call."""
    estimator = TorchEstimator(dtype="complex128") if estimator is None else estimator
    entries = [(o, v) for o in OBSERVABLES for v in values]
    result = (
        BatchedEstimatorGradient(estimator)
        .run(
            [circuit] * len(entries),
            [o for o, _ in entries],
            [v for _, v in entries],
            None if parameters is None else [parameters] * len(entries),
        )
        .result()
    )
    return np.reshape(result.gradients, (len(OBSERVABLES), len(values), -1))


def scrambled(append):
    """Three qubits in a state without symmetry, the gate in question, and again."""
    circuit = QuantumCircuit(3)
    circuit.unitary(random_unitary(8, seed=5), range(3))
    append(circuit)
    circuit.unitary(random_unitary(8, seed=6), range(3))
    return circuit
