"""Pauli twirling: the same unitary, and coherent errors that become random ones."""

import itertools

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZZGate
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import PTM, Operator, SuperOp
from qiskit_aer.noise import NoiseModel, coherent_unitary_error

from qvlm_qiskit.backends.mitigation import PauliTwirled
from qvlm_qiskit.backends.mitigation.techniques.twirling import TWIRLED, twirled
from qvlm_qiskit.backends.pubs.shots import shots_of_precision
from tests.backends.mitigation.circuits import TARGET


@pytest.mark.slow
def test_coherent_errors_add_up_less_when_twirled(exact_device):
    """Ten cz that over-rotate by the same angle: (Nε)²/2 in a row, Nε²/2 on average."""
    epsilon, count = 0.06, 10
    model = NoiseModel(["rz", "sx", "x", "cz"])
    model.add_all_qubit_quantum_error(coherent_unitary_error(RZZGate(epsilon).to_matrix()), "cz")
    circuit = QuantumCircuit(2)
    circuit.sx([0, 1])
    for _ in range(count):
        circuit.cz(0, 1)
    pub = (circuit, ["XI", "IX", "YI"], None, 0.05)
    expected = StatevectorEstimator().run([pub[:2]]).result()[0].data.evs
    raw = exact_device(model).run([pub]).result()[0].data.evs
    twirled = PauliTwirled(exact_device(model), TARGET, 200, seed=1).run([pub]).result()[0].data
    assert np.abs(raw - expected).max() == pytest.approx(1 - np.cos(count * epsilon), abs=1e-6)
    average = 1 - np.cos(epsilon) ** count
    worst = np.abs(twirled.evs - expected).max()
    assert worst == pytest.approx(average, abs=4 * twirled.stds.max())
    assert worst < 0.4 * np.abs(raw - expected).max()


def isa(seed, basis=("rz", "sx", "x", "cz"), qubits=3):
    circuit = random_circuit(qubits, 4, max_operands=2, seed=seed)
    return transpile(circuit, basis_gates=list(basis), optimization_level=1, seed_transpiler=seed)


@pytest.mark.parametrize("basis", ["cz", "cx", "ecr"])
@pytest.mark.parametrize("seed", range(4))
def test_twirled_circuits_have_the_same_unitary_and_no_more_gates(basis, seed):
    circuit = isa(seed, ("rz", "sx", "x", basis))
    rng = np.random.default_rng(seed)
    for _ in range(5):
        copy = twirled(circuit, rng.integers(16, size=circuit.num_nonlocal_gates()))
        assert Operator(copy).equiv(Operator(circuit))
        assert copy.num_nonlocal_gates() == circuit.num_nonlocal_gates()
        assert copy.count_ops().get("sx", 0) == circuit.count_ops().get("sx", 0)


@pytest.mark.parametrize("name", TWIRLED)
def test_all_paulis_around_a_gate_leave_its_unitary(name):
    gate = get_standard_gate_name_mapping()[name]
    circuit = QuantumCircuit(2)
    circuit.append(gate, [1, 0])
    for choice in range(16):
        assert Operator(twirled(circuit, np.array([choice]))).equiv(Operator(circuit))


@pytest.mark.slow
def test_parameters_survive_the_twirl():
    angle = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.rz(2 * angle + 0.1, 0)
    circuit.barrier()
    circuit.sx(0)
    circuit.cz(0, 1)
    for choices in itertools.product(range(16), repeat=2):
        copy = twirled(circuit, np.array(choices)).assign_parameters([0.4])
        assert Operator(copy).equiv(Operator(circuit.assign_parameters([0.4])))


@pytest.mark.parametrize("seed", range(5))
def test_paulis_meet_across_a_barrier_and_not_across_a_delay(seed):
    """Two layers of a learning circuit: one x for a qubit between them, not two."""
    circuit = QuantumCircuit(2)
    for _ in range(4):
        circuit.cz(0, 1)
        circuit.sx(0)
        circuit.barrier()
    circuit.delay(100, 0)
    circuit.cz(0, 1)
    copy = twirled(circuit, np.random.default_rng(seed).integers(16, size=5))
    assert Operator(copy).equiv(Operator(circuit))
    made = [item.name for item in copy.data if circuit.qubits[1] in item.qubits]
    between = " ".join(made).split("cz")
    assert max(part.count("x") for part in between) == 1
    assert [item.name for item in copy.data if len(item.qubits) > 1 or item.name == "delay"] == [
        item.name for item in circuit.data if len(item.qubits) > 1 or item.name == "delay"
    ]


def test_the_average_over_all_paulis_is_the_pauli_part_of_the_noise():
    """A coherent error on cz, twirled by all 16 Paulis, has the diagonal transfer matrix."""
    angle = 0.3
    error = QuantumCircuit(2)
    error.rzz(angle, 0, 1)
    circuit = QuantumCircuit(2)
    circuit.cz(0, 1)
    ideal = SuperOp(circuit)
    total = np.zeros((16, 16), dtype=complex)
    for choice in range(16):
        noisy = SuperOp(np.eye(16))
        for item in twirled(circuit, np.array([choice])).data:
            positions = [circuit.qubits.index(qubit) for qubit in item.qubits]
            noisy = noisy.compose(SuperOp(item.operation), qargs=positions)
            if item.name == "cz":
                noisy = noisy.compose(SuperOp(error))
        total += noisy.data / 16
    transfer = PTM(SuperOp(total).compose(ideal.adjoint())).data.real
    expected = np.diag(np.diag(PTM(SuperOp(error)).data.real))
    np.testing.assert_allclose(transfer, expected, atol=1e-12)


def test_random_circuits_share_the_shots():
    twirling = PauliTwirled(StatevectorEstimator(), TARGET, 8)
    (shared,) = {
        pub.precision
        for pub in twirling.expand(EstimatorPub.coerce((isa(0), "ZII", None, 0.1))).pubs
    }
    assert shots_of_precision(shared) == 13  # ⌈100 / 8⌉
