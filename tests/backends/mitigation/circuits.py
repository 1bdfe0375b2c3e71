"""Circuits, Paulis and stacks of estimators that the tests of mitigation share."""

from types import SimpleNamespace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Pauli, SparsePauliOp
from qiskit.transpiler import Target

from qvlm_qiskit.backends import Compiled, Compiler
from qvlm_qiskit.backends.mitigation import MitigatedDevice, mitigation_wrappers
from qvlm_qiskit.backends.mitigation.names import parse_mitigation
from qvlm_qiskit.noise_models import depolarizing


def entangled(num_qubits=4):
    circuit = QuantumCircuit(num_qubits)
    theta = Parameter("theta")
    for qubit in range(num_qubits):
        circuit.rz(0.4 * qubit, qubit)
        circuit.sx(qubit)
        circuit.rz(theta, qubit)
        circuit.sx(qubit)
    for qubit in range(num_qubits - 1):
        circuit.cz(qubit, qubit + 1)
    for qubit in range(num_qubits):
        circuit.rz(0.5 + 0.3 * qubit, qubit)
        circuit.sx(qubit)
    return circuit


TARGET = Target.from_configuration(["rz", "sx", "x", "cz", "measure"], num_qubits=5)
NOISE = depolarizing(0.02, 0.002)
SILENT = depolarizing(0.0)
OBSERVABLES = [["ZII"], ["IZI"], ["ZZI"], [SparsePauliOp(["XXI", "IZZ", "III"], [0.5, -1.0, 0.3])]]


def stacked(mitigation, device, noise=NOISE, seed=5, level=1):
    """The mitigation on a device, compiled for it."""
    known = MitigatedDevice(TARGET, lambda qubits: noise, seed)
    estimator = device
    for wrap in mitigation_wrappers(parse_mitigation(mitigation), known):
        estimator = wrap(estimator)
    return Compiled(estimator, Compiler(TARGET, level), default_precision=0.05)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def as_pauli(bits):
    half = len(bits) // 2
    return Pauli((bits[half:], bits[:half]))


def answered(evs, stds):
    """What a device answers to one pub."""
    data = SimpleNamespace(evs=np.asarray(evs, dtype=float), stds=np.asarray(stds, dtype=float))
    return SimpleNamespace(data=data, metadata={})
