"""What is read at the end of a noisy circuit."""

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.noise_models import (
    calibrated,
    parse_parametric,
    restricted,
)
from qvlm_qiskit.quantum import TorchEstimator
from tests.quantum.density.layered import TOGETHER, aer_state, layered


def noisy_expectations(isa, spec, observables):
    """The slow twin: Aer's state, the device's basis change as a circuit, flips on the diagonal."""
    values = []
    for label in observables:
        measured = isa.copy()
        n = isa.num_qubits
        for qubit, letter in enumerate(reversed(label)):
            rotation = QuantumCircuit(1)
            if letter == "Y":
                rotation.sdg(0)
            if letter in "XY":
                rotation.h(0)
            native = transpile(rotation, basis_gates=["rz", "sx", "x"], optimization_level=3)
            measured.compose(native, [qubit], inplace=True)
        probabilities = aer_state(measured, spec).probabilities()
        for qubit in range(n):
            up, down = spec.readout(qubit)
            shaped = probabilities.reshape(2 ** (n - 1 - qubit), 2, 2**qubit)
            flips = np.array([[1 - up, down], [up, 1 - down]])
            probabilities = np.einsum("ij,ajb->aib", flips, shaped).reshape(-1)
        signs = [
            (-1) ** sum(i >> q & 1 for q, letter in enumerate(reversed(label)) if letter != "I")
            for i in range(2**n)
        ]
        values.append(probabilities @ signs)
    return np.array(values)


@pytest.mark.parametrize("label", ["manila", TOGETHER])
def test_measured_values_carry_basis_changes_and_readout(label):
    spec = parse_parametric(label) if "(" in label else restricted(
        calibrated(FakeManilaV2().target), (0, 1, 2)
    )  # fmt: skip
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.4 + q, q)
    entangler = "cz" if "cz" in spec.basis_gates else "cx"
    getattr(circuit, entangler)(0, 1)
    getattr(circuit, entangler)(1, 2)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", entangler], optimization_level=1)
    labels = ["IIZ", "ZZI", "XIY", "YXZ", "IXI", "ZZZ"]
    estimator = TorchEstimator(noise_model=spec, dtype="complex128")
    found = estimator.run([(isa, labels)]).result()[0]
    np.testing.assert_allclose(found.data.evs, noisy_expectations(isa, spec, labels), atol=1e-8)
    assert found.metadata["exact"]


def test_an_observable_may_lie_on_idle_qubits_and_be_a_sum():
    spec = parse_parametric("readout(0.1,0.3)+depolarizing(0.1)")
    circuit = QuantumCircuit(4)
    circuit.sx(1)
    estimator = TorchEstimator(noise_model=spec, dtype="complex128")
    sums = SparsePauliOp(["IIII", "ZIII", "ZIZI", "IXII"], [0.5, 2.0, -1.0, 3.0])
    evs = estimator.run([(circuit, ["ZIII", "IIZI", "IIII", sums])]).result()[0].data.evs
    # ⟨Z⟩ → 0.6·⟨Z⟩ + 0.2, and |0⟩ on every idle qubit; a noisy sx reads ⟨Z⟩ = 0
    np.testing.assert_allclose(evs, [0.8, 0.2, 1.0, 0.5 + 1.6 - 0.16 + 0.6], atol=1e-12)


def test_shots_are_drawn_from_the_exact_distribution():
    circuit, _ = layered(2, seed=3)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    estimator = TorchEstimator(noise_model=parse_parametric(TOGETHER), dtype="complex128", seed=7)
    values = np.random.default_rng(0).uniform(-3, 3, isa.num_parameters)
    rows = np.repeat(values[None], 600, axis=0)
    observable = SparsePauliOp(["ZZ", "IZ", "XI", "II"], [1.0, 0.7, -0.5, 2.0])
    exact = estimator.run([(isa, observable, values)]).result()[0].data.evs
    found = estimator.run([(isa, observable, rows)], precision=0.1).result()[0]
    assert found.metadata["shots"] == 100
    assert found.metadata["measurement_groups"] == 2
    assert found.metadata["circuits"] == 1200
    assert found.metadata["executions"] == 120_000
    spread = np.std(found.data.evs)
    assert abs(found.data.evs.mean() - exact) < 4 * spread / np.sqrt(600)
    assert spread == pytest.approx(np.mean(found.data.stds), rel=0.1)


def test_seeds_repeat_shots():
    circuit, _ = layered(2, seed=3)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    pub = EstimatorPub.coerce((isa, ["ZI"], np.ones(isa.num_parameters), 0.05))

    def draw(seed):
        estimator = TorchEstimator(noise_model=parse_parametric(TOGETHER), seed=seed)
        return estimator.run([pub]).result()[0].data.evs

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
