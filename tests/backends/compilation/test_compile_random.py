"""A promise across compilation: random circuits without noise have the exact values.

Tests no single module.
"""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.primitives import BaseEstimatorV2, StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import Compiled, open_backend
from qvlm_qiskit.backends.pubs.active_qubits import (
    active_qubits,
    restrict_circuit,
    restrict_observables,
)

DEVICES = ("fake_manila", "fake_torino", "fake_sherbrooke")  # cx, cz, and ecr of one direction


class WithoutNoise(BaseEstimatorV2):
    """Exact values of ISA pubs on the qubits that they use."""

    def run(self, pubs, *, precision=None):
        reduced = []
        for pub in pubs:
            pub = EstimatorPub.coerce(pub, precision)
            qubits = active_qubits(pub.circuit, pub.observables)
            reduced.append(
                (
                    restrict_circuit(pub.circuit, qubits),
                    restrict_observables(pub.observables, qubits),
                    pub.parameter_values,
                )
            )
        return StatevectorEstimator().run(reduced)


def parametrised(circuit, rng):
    """The circuit with about half of its angles as parameters, and their values."""
    result, values = QuantumCircuit(circuit.num_qubits), []
    for item in circuit.data:
        operation = item.operation.to_mutable()
        if operation.params and rng.random() < 0.5:
            # named against the order of use, which is not the order of binding then
            names = [f"p{999 - len(values) - i}" for i in range(len(operation.params))]
            values += [float(value) for value in operation.params]
            operation.params = [Parameter(name) for name in names]
        result.append(operation, [circuit.find_bit(bit).index for bit in item.qubits])
    in_order = list(reversed(values))  # parameters are sorted by name
    return result, in_order


def random_case(seed):
    """A random circuit of 1 to 5 qubits, observables and the exact values."""
    rng = np.random.default_rng([2024, seed])
    qubits = int(rng.integers(1, 6))
    plain = random_circuit(
        qubits, int(rng.integers(1, 7)), max_operands=3, seed=int(rng.integers(2**31))
    )
    circuit, values = parametrised(plain, rng)
    labels = ["".join(rng.choice(list("IXYZ"), qubits)) for _ in range(4)]
    observables = [SparsePauliOp(label) for label in labels]
    observables.append(SparsePauliOp(labels, rng.normal(size=4)))
    state = Statevector(plain)
    expected = [state.expectation_value(o).real for o in observables]
    return circuit, observables, values, np.array(expected)


def mismatches(device, level, seeds):
    compiler = open_backend(device, optimization_level=level, seed=1).compiler
    estimator = Compiled(WithoutNoise(), compiler)
    wrong = []
    for seed in seeds:
        circuit, observables, values, expected = random_case(seed)
        found = estimator.run([(circuit, observables, values)]).result()[0].data.evs
        if not np.allclose(found, expected, atol=1e-8, rtol=0):
            wrong.append((seed, float(np.max(np.abs(found - expected)))))
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("level", range(4))
def test_compiling_random_circuits_changes_no_value(device, level):
    assert mismatches(device, level, range(10)) == []


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("level", range(4))
def test_compiling_two_hundred_random_circuits_changes_no_value(device, level):
    """Fifty at each level."""
    assert mismatches(device, level, range(50 * level, 50 * level + 50)) == []
