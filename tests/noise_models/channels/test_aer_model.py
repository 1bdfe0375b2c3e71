"""The built noise models against Aer's own, and against the formulas."""

import itertools

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import DensityMatrix, Operator
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2

from qvlm_qiskit.backends.pubs.active_qubits import ReducedBackend
from qvlm_qiskit.noise_models import build, calibrated, depolarizing, scaled


def density_matrix(circuit, model):
    copied = circuit.copy()
    copied.save_density_matrix()
    simulator = AerSimulator(noise_model=model, method="density_matrix")
    return np.asarray(simulator.run(copied).result().data()["density_matrix"])


def entangling(num_qubits, backend, seed):
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(num_qubits)
    for _ in range(2):
        for qubit in range(num_qubits):
            circuit.u(*rng.uniform(-3, 3, 3), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return transpile(circuit, backend, optimization_level=1, seed_transpiler=seed)


@pytest.mark.parametrize("device", [FakeManilaV2, FakeLagosV2])
def test_factor_one_agrees_with_aer_on_the_whole_device(device):
    backend = device()
    circuit = entangling(3, backend, seed=5)
    ours = density_matrix(circuit, build(calibrated(backend.target)))
    theirs = density_matrix(circuit, NoiseModel.from_backend(backend))
    assert np.abs(ours - theirs).max() < 1e-9


def test_factor_one_agrees_with_aer_on_some_qubits():
    part = ReducedBackend(FakeLagosV2(), (1, 3, 5))
    circuit = entangling(3, part, seed=6)
    ours = density_matrix(circuit, build(calibrated(FakeLagosV2().target, (1, 3, 5))))
    theirs = density_matrix(circuit, NoiseModel.from_backend(part))
    assert np.abs(ours - theirs).max() < 1e-9


def test_readout_agrees_with_aer():
    backend = FakeManilaV2()
    ours = build(calibrated(backend.target)).to_dict()["errors"]
    theirs = NoiseModel.from_backend(backend).to_dict()["errors"]
    readout = [
        sorted((e["gate_qubits"], e["probabilities"]) for e in errors if e["type"] == "roerror")
        for errors in (ours, theirs)
    ]
    assert len(readout[0]) == 5
    for (qubits, matrix), (other_qubits, other) in zip(*readout, strict=True):
        assert qubits == other_qubits
        np.testing.assert_allclose(matrix, other, atol=1e-12)


def test_depolarizing_is_the_textbook_channel():
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.cz(0, 1)
    p1, p2 = 0.02, 0.1
    ideal = DensityMatrix(circuit).data
    after_sx = QuantumCircuit(2)
    after_sx.sx(0)
    clean = DensityMatrix(after_sx).data
    # One qubit depolarised: the other one keeps its state |0⟩.
    mixed = np.kron(np.diag([1.0, 0.0]), np.eye(2) / 2)
    noisy = (1 - p1) * clean + p1 * mixed
    cz = Operator(np.diag([1, 1, 1, -1])).data
    expected = (1 - p2) * cz @ noisy @ cz.conj().T + p2 * np.eye(4) / 4
    found = density_matrix(circuit, build(depolarizing(p2, p1)))
    assert np.abs(found - expected).max() < 1e-12
    assert np.abs(found - ideal).max() > 0.01


@pytest.mark.slow
def test_more_noise_means_less_fidelity():
    backend = FakeManilaV2()
    circuit = entangling(3, backend, seed=7)
    clean = density_matrix(circuit, None)
    spec = calibrated(backend.target)
    fidelities = [
        np.trace(clean @ density_matrix(circuit, build(scaled(spec, factor)))).real
        for factor in (0.0, 0.5, 1.0, 2.0)
    ]
    assert fidelities[0] == pytest.approx(1.0, abs=1e-9)
    assert all(a > b + 0.01 for a, b in itertools.pairwise(fidelities))
    # To first order the loss is proportional to the factor.
    assert 1 - fidelities[1] == pytest.approx((1 - fidelities[2]) / 2, rel=0.1)
