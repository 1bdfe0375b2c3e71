"""The quantum engine: circuits, the compiled tensor program, and the estimators that run it.

Reading order, which is also the way of one batch: :mod:`encoding` (features → angles),
:mod:`circuits` (angles → ``EstimatorQNN``), :mod:`program` (circuit → Pauli rotations, without what
no observable sees, → passes), :mod:`statevector` (angles and passes → expectation values, compiled
on the CPU, in torch operations elsewhere), :mod:`estimator` (the engine as a Qiskit primitive),
:mod:`layer` (everything as one ``torch.nn.Module``), :mod:`moving` (the layer on other estimators)
and :mod:`gradients` (through those).

Beside expectation values, :mod:`readings`: probabilities, samples, states, fidelities. Circuits
whose wires are cut: :mod:`cuts`.

Under noise: :mod:`noise` (what a noise description has to answer) and :mod:`density` (ISA circuit
and noise → real matrices → states of Pauli components → bases, readout error, shots).
"""

from qvlm_qiskit.quantum.circuits import (
    make_qnn,
    pooling_layer,
    variational_layer,
    z_observables,
)
from qvlm_qiskit.quantum.cuts.layer import CutLayer, CutOverhead, cut_layer
from qvlm_qiskit.quantum.encoding import (
    AmplitudeEncoding,
    amplitude_angles,
    amplitudes_from_angles,
)
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.gradients.sampled import SampledGradient
from qvlm_qiskit.quantum.layer import QuantumLayer, quantum_layers
from qvlm_qiskit.quantum.matrix_products import mps_encoding
from qvlm_qiskit.quantum.moving import run_on
from qvlm_qiskit.quantum.readings.fidelity import FidelityKernel, KernelMatrix, fidelity_kernel
from qvlm_qiskit.quantum.readings.final_states import states

__all__ = [
    "AmplitudeEncoding",
    "BatchedEstimatorGradient",
    "CutLayer",
    "CutOverhead",
    "FidelityKernel",
    "HamiltonianEvolution",
    "KernelMatrix",
    "QuantumLayer",
    "SampledGradient",
    "TorchEstimator",
    "amplitude_angles",
    "amplitudes_from_angles",
    "cut_layer",
    "fidelity_kernel",
    "make_qnn",
    "mps_encoding",
    "pooling_layer",
    "quantum_layers",
    "run_on",
    "states",
    "variational_layer",
    "z_observables",
]
