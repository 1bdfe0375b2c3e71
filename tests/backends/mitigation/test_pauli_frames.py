"""Paulis moved through circuits, free angles, and circuits whose exact values are known."""

import itertools

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZZGate, XXPlusYYGate
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.circuit.random import random_circuit
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import (
    PTM,
    Operator,
    Pauli,
    SparsePauliOp,
    SuperOp,
)  # fmt: skip
from qiskit_aer.noise import (
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
    thermal_relaxation_error,
)  # fmt: skip

from qvlm_qiskit.backends.mitigation import near_clifford as module
from qvlm_qiskit.backends.mitigation.near_clifford import NearClifford, exact_values
from qvlm_qiskit.backends.mitigation.pauli_frames import (
    AXES,
    CLIFFORDS,
    FrameWalk,
    anticommutes,
    check_frames,
    pauli_bits,
)  # fmt: skip
from qvlm_qiskit.backends.mitigation.pec_inverses import GateInverses, inverse_of
from qvlm_qiskit.backends.mitigation.techniques.twirling import TWIRLED, twirled
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import calibrated, depolarizing


def isa(seed, basis=("rz", "sx", "x", "cz"), qubits=3):
    circuit = random_circuit(qubits, 4, max_operands=2, seed=seed)
    return transpile(circuit, basis_gates=list(basis), optimization_level=1, seed_transpiler=seed)


def as_pauli(bits):
    half = len(bits) // 2
    return Pauli((bits[half:], bits[:half]))


@pytest.mark.parametrize("name", [*CLIFFORDS, *AXES])
def test_a_pauli_before_a_gate_is_another_one_behind_it(name):
    gate = get_standard_gate_name_mapping()[name]
    angle = 0.7
    if name in AXES:
        gate = type(gate)(angle)
    width = gate.num_qubits
    for bits in pauli_bits(width):
        walk = FrameWalk(QuantumCircuit(width), 1)
        walk.insert(list(range(2 * width)), bits[None])
        flips = walk.through(name, list(range(2 * width)))
        moved = gate if flips is None or not flips[0] else type(gate)(-angle)
        before = Operator(as_pauli(bits)).compose(Operator(gate))
        behind = Operator(moved).compose(Operator(as_pauli(walk.frames[0])))
        assert before.equiv(behind)


def test_anticommutation_is_that_of_the_matrices():
    for a, b in itertools.product(pauli_bits(2), repeat=2):
        expected = as_pauli(a).anticommutes(as_pauli(b))
        assert anticommutes(a[None], b)[0] == expected


def test_gates_that_no_pauli_passes_are_refused():
    circuit = QuantumCircuit(1)
    circuit.t(0)
    with pytest.raises(MitigationError, match="'t'"):
        check_frames(circuit, "pec")


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


CHANNELS = {
    "depolarizing": depolarizing_error(0.1, 2),
    "pauli": pauli_error([("IX", 0.05), ("ZY", 0.02), ("II", 0.93)]),
    "relaxation": thermal_relaxation_error(50, 30, 3).expand(amplitude_damping_error(0.05)),
    "coherent": coherent_unitary_error(Operator(RZZGate(0.3))),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_the_quasi_probability_inverts_the_pauli_part(name):
    channel = SuperOp(CHANNELS[name])
    inverse = inverse_of(channel, name)
    assert inverse.weights.sum() == pytest.approx(1)
    undone = sum(
        w * PTM(Operator(as_pauli(bits))).data.real
        for w, bits in zip(inverse.weights, pauli_bits(2), strict=True)
    )
    transfer = PTM(channel).data.real
    np.testing.assert_allclose(undone @ np.diag(np.diag(transfer)), np.eye(16), atol=1e-12)
    off_diagonal = np.abs(transfer - np.diag(np.diag(transfer))).max()
    assert inverse.residual == pytest.approx(off_diagonal, abs=1e-12)
    assert (inverse.residual < 1e-12) == (name in ("depolarizing", "pauli"))


def test_the_quasi_probability_of_depolarizing_noise_is_mitiqs():
    cirq = pytest.importorskip("cirq")
    from mitiq.pec.representations import represent_operation_with_global_depolarizing_noise

    p = 0.06  # ours: (1 - p)ρ + p·I/4; mitiq's: a Pauli other than I with probability 15p/16
    qubits = cirq.LineQubit.range(2)
    theirs = represent_operation_with_global_depolarizing_noise(
        cirq.Circuit(cirq.CZ(*qubits)), noise_level=15 * p / 16
    )
    ours = inverse_of(SuperOp(depolarizing_error(p, 2)), "cz")
    assert sorted(ours.weights) == pytest.approx(sorted(theirs.coeffs))
    assert ours.gamma == pytest.approx(theirs.norm)


def test_noise_that_leaves_nothing_is_refused():
    with pytest.raises(MitigationError, match="cz here"):
        inverse_of(SuperOp(depolarizing_error(0.97, 2)), "cz here")


def test_gate_noise_is_found_by_gate_and_qubits():
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    inverses = GateInverses(calibrated(FakeManilaV2().target, (1, 2)))
    assert inverses.get("cx", (0, 1)).gamma > 1
    assert inverses.get("cx", (0, 1)).gamma == inverses.get("cx", (0, 1)).gamma
    assert inverses.get("rz", (0,)) is None
    everywhere = GateInverses(depolarizing(0.1, 0.01))
    assert everywhere.get("cz", (7, 3)).gamma == everywhere.get("cz", (0, 1)).gamma
    assert everywhere.get("sx", (5,)).gamma < everywhere.get("cz", (0, 1)).gamma


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


def near(circuit, observables, values, count=12, keep=0.4, **options):
    pub = EstimatorPub.coerce((circuit, [[o] for o in observables], values))
    return NearClifford("test", count, keep, **options).versions(pub, np.random.default_rng(3))


def test_near_clifford_circuits_keep_some_angles_and_snap_the_others(make_circuit, values_for):
    circuit = transpile(make_circuit(layers=2), basis_gates=["rz", "sx", "x", "cz"])
    values = values_for(circuit, (3,))
    found = near(circuit, ["ZZI", "IIX"], values, count=200)
    rows = found.template.angles(EstimatorPub.coerce((circuit, "III", values)).parameter_values)
    quarter = np.pi / 2
    free = np.abs(rows / quarter - np.round(rows / quarter)) > 1e-9
    kept = np.isclose(found.angles[:, None], rows[None]).any(axis=1)
    snapped = np.isclose(found.angles / quarter, np.round(found.angles / quarter))
    assert (kept | snapped).all()
    share = 1 - snapped[:, free.all(axis=0)].mean()
    assert share == pytest.approx(0.4, abs=0.05)


def test_exact_values_are_those_of_the_circuits(make_circuit, values_for):
    circuit = transpile(make_circuit(layers=2), basis_gates=["rz", "sx", "x", "cz"])
    operator = SparsePauliOp(["XYI", "IIZ"], [0.5, -2.0])
    found = near(circuit, ["ZZI", operator], values_for(circuit, (3,)))
    circuits = [found.template.circuit.assign_parameters(row) for row in found.angles]
    expected = StatevectorEstimator().run([(c, ["ZZI", operator]) for c in circuits]).result()
    np.testing.assert_allclose(
        found.exact, np.transpose([r.data.evs for r in expected]), atol=1e-10
    )


def test_clifford_circuits_beyond_statevectors_are_stabilizer_states(
    monkeypatch, make_circuit, values_for
):
    circuit = transpile(make_circuit(layers=2), basis_gates=["rz", "sx", "x", "cz"])
    by_engine = near(circuit, ["ZZI", "XYI", "IIZ"], values_for(circuit, (3,)), keep=0.0)
    monkeypatch.setattr(module, "MAX_STATEVECTOR_QUBITS", 2)
    monkeypatch.setattr(module, "_engine", lambda: pytest.fail("the engine was asked"))
    found = exact_values(by_engine.template, by_engine.angles, by_engine.observables, "test")
    np.testing.assert_allclose(found, by_engine.exact, atol=1e-10)
    with pytest.raises(MitigationError, match="keep=0"):
        near(circuit, ["ZZI"], values_for(circuit, (3,)), keep=0.5)


def test_spread_training_circuits_vary_more(make_circuit, values_for):
    circuit = transpile(make_circuit(layers=3), basis_gates=["rz", "sx", "x", "cz"])
    observables = ["ZII", "IZI", "ZZZ"]
    values = values_for(circuit, (3,))
    plain = near(circuit, observables, values, keep=0.1)
    spread = near(circuit, observables, values, keep=0.1, spread=True)
    assert (spread.exact.std(axis=1) > 0.25).all()
    assert (spread.exact.std(axis=1) > plain.exact.std(axis=1)).all()
