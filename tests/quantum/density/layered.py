"""Circuits, noise and Aer's states that several tests of the density matrix compare with."""

import itertools

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import DensityMatrix
from qiskit_aer import AerSimulator

from qvlm_qiskit.noise_models import (
    build,
    with_crosstalk,
)

FAMILIES = [
    "depolarizing(0.03,0.01)",
    "amplitude_damping(0.05,0.02)",
    "phase_damping(0.05,0.02)",
    "thermal(t1_us=20,t2_us=30)",
    "over_rotation(0.1)",
    "zz(0.3)",
]
TOGETHER = "+".join([*FAMILIES, "readout(0.02,0.05)"])


def layered(num_qubits, seed, rotations=False):
    """A circuit of per-sample and shared angles, not symmetric in its qubits; its parameters."""
    inputs = ParameterVector("x", 2 * num_qubits)
    weights = ParameterVector("w", 2 * num_qubits)
    circuit = QuantumCircuit(num_qubits)
    order = np.random.default_rng(seed).permutation(num_qubits)
    for q in range(num_qubits):
        circuit.ry(inputs[q], q)
        circuit.rz(2 * inputs[num_qubits + q] + weights[0], q)
    for a, b in itertools.pairwise(order):
        circuit.cx(int(a), int(b))
        if rotations:
            circuit.rzz(inputs[0] - weights[1], int(b), int(a))
    for q in range(num_qubits):
        circuit.rx(weights[q], q)
    for a, b in itertools.pairwise(order):
        circuit.cx(int(b), int(a))
        if rotations:
            circuit.rxx(weights[2], int(b), int(a))
    circuit.ry(weights[num_qubits] * weights[1], 0)
    for q in range(1, num_qubits):
        circuit.ry(weights[num_qubits + q], q)
    return circuit, [*inputs, *weights]


def aer_state(circuit, spec):
    bound = with_crosstalk(circuit, spec)
    bound.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=build(spec))
    return DensityMatrix(np.asarray(simulator.run(bound).result().data()["density_matrix"]))
