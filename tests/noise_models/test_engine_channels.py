"""The engine's channels against those that Aer builds from the same description."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import PTM, Operator, SuperOp
from qiskit_ibm_runtime.fake_provider import FakeLagosV2, FakeManilaV2, FakeSherbrooke

from qvlm_qiskit.errors import CircuitError, NoiseModelError
from qvlm_qiskit.noise_models import (
    ChannelNoise,
    GateNoise,
    NoiseSpec,
    QubitNoise,
    build,
    calibrated,
    combined,
    parse_parametric,
    restricted,
    scaled,
    with_crosstalk,
)
from qvlm_qiskit.noise_models.channels import over_rotation_unitary
from qvlm_qiskit.pauli_transfer import unitary_ptm

FAMILIES = [
    "depolarizing(0.03,0.01)",
    "amplitude_damping(0.05,0.02)",
    "phase_damping(0.05,0.02)",
    "thermal(t1_us=20,t2_us=30)",
    "thermal(t1_us=20,t2_us=10)",
    "readout(0.02,0.05)",
    "over_rotation(0.1)",
]
TOGETHER = "+".join(FAMILIES)


def aer_channels(spec):
    """(name, qubits) → Pauli transfer matrix of Aer's error; qubits () for any."""
    model = build(spec)
    found = {
        (name, ()): PTM(SuperOp(error)).data.real
        for name, error in model._default_quantum_errors.items()
    }
    for name, errors in model._local_quantum_errors.items():
        for qubits, error in errors.items():
            found[name, tuple(qubits)] = PTM(SuperOp(error)).data.real
    return found


def own_channel(noise, name, qubits):
    channels = noise.after(name, qubits, qubits, max(qubits) + 1)
    if not channels:
        return np.eye(4 ** len(qubits))
    ((operands, matrix),) = channels
    assert operands == qubits
    return matrix


@pytest.mark.parametrize("text", [*FAMILIES, TOGETHER])
def test_parametric_channels_are_aers(text):
    spec = parse_parametric(text)
    noise, expected = ChannelNoise(spec), aer_channels(spec)
    for name, qubits in (("sx", (0,)), ("x", (1,)), ("cz", (0, 1)), ("rz", (0,))):
        theirs = expected.get((name, ()), np.eye(4 ** len(qubits)))
        np.testing.assert_allclose(own_channel(noise, name, qubits), theirs, atol=1e-12)


@pytest.mark.parametrize("device", [FakeManilaV2, FakeLagosV2, FakeSherbrooke])
@pytest.mark.parametrize("text", [None, TOGETHER])
def test_calibrated_channels_are_aers(device, text):
    target = device().target
    part = (10, 11, 12) if target.num_qubits > 100 else (1, 3, 5) if device is FakeLagosV2 else None
    spec = scaled(calibrated(target, part), 1.5)
    if text:
        spec = combined(spec, parse_parametric(text, spec.basis_gates))
    noise, expected = ChannelNoise(spec), aer_channels(spec)
    placed = {(gate.name, gate.qubits) for gate in spec.gates if gate.name in spec.basis_gates}
    assert len(placed) >= 8
    for name, qubits in placed:
        theirs = expected.get((name, qubits), np.eye(4 ** len(qubits)))
        np.testing.assert_allclose(own_channel(noise, name, qubits), theirs, atol=1e-10)


@pytest.mark.parametrize("gate", ["x", "y", "sx", "sxdg", "cz", "cx", "ecr"])
def test_an_over_rotation_is_a_power_of_the_gate(gate):
    """A whole turn too far is the gate itself, half of it twice the same."""
    circuit = QuantumCircuit(2 if gate in ("cz", "cx", "ecr") else 1)
    getattr(circuit, gate)(*range(circuit.num_qubits))
    once = unitary_ptm(over_rotation_unitary(gate, 1.0))
    half = unitary_ptm(over_rotation_unitary(gate, 0.5))
    np.testing.assert_allclose(half @ half, once, atol=1e-12)
    if gate == "ecr":
        # not a power: both halves of the echo are too long by the fraction
        echo = QuantumCircuit(2)
        echo.rzx(1.3 * np.pi / 4, 0, 1)
        echo.x(0)
        echo.rzx(-1.3 * np.pi / 4, 0, 1)
        turned = over_rotation_unitary(gate, 0.3) @ Operator(circuit).data
        assert Operator(turned).equiv(Operator(echo))
    else:
        np.testing.assert_allclose(once, unitary_ptm(Operator(circuit).data), atol=1e-12)


def test_an_over_rotation_of_another_gate_is_refused_before_anything_runs():
    spec = NoiseSpec.from_dict(
        {
            **parse_parametric("over_rotation(0.1)").to_dict(),
            "sources": [{"kind": "over_rotation", "gates": ["rzz"], "fraction": 0.1}],
        }
    )
    for make in (build, ChannelNoise):
        with pytest.raises(NoiseModelError, match="over-rotation of 'rzz'"):
            make(spec)


def test_what_the_device_cannot_do_is_refused_instead_of_being_noise_free():
    spec = calibrated(FakeManilaV2().target)
    noise = ChannelNoise(spec)
    with pytest.raises(CircuitError, match="'h' is no gate"):
        noise.after("h", (0,), (0,), 5)
    with pytest.raises(CircuitError, match="no cx on qubits"):
        noise.after("cx", (0, 2), (0, 2), 5)
    with pytest.raises(CircuitError, match="describes 5 qubits"):
        noise.after("sx", (7,), (7,), 8)
    with pytest.raises(CircuitError, match="describes 2 qubits"):
        ChannelNoise(restricted(spec, (0, 1))).measurement(3, "Z")


def test_a_measured_z_is_turned_by_the_readout_error():
    spec = NoiseSpec("r", ("rz", "sx", "x"), (QubitNoise(None, None, 0.1, 0.3),))
    np.testing.assert_allclose(ChannelNoise(spec).measurement(0, "Z"), [0.2, 0, 0, 0.6], atol=1e-15)
    np.testing.assert_allclose(ChannelNoise(spec).measurement(0, "X"), [0.2, 0.6, 0, 0], atol=1e-12)
    np.testing.assert_allclose(ChannelNoise(spec).measurement(0, "Y"), [0.2, 0, 0.6, 0], atol=1e-12)


def test_a_measured_x_carries_the_noise_of_its_rotation():
    noise = ChannelNoise(parse_parametric("depolarizing(0.1,0.02)"))
    np.testing.assert_allclose(noise.measurement(0, "X"), [0, 0.98, 0, 0], atol=1e-12)
    np.testing.assert_allclose(noise.measurement(0, "Z"), [0, 0, 0, 1], atol=1e-12)


def test_crosstalk_turns_neighbours_and_idle_ones_as_an_rz():
    spec = parse_parametric("zz(0.3)")
    circuit = QuantumCircuit(4)
    circuit.sx(0)
    circuit.cz(1, 2)
    written = with_crosstalk(circuit, spec)
    shown = [(i.name, [written.find_bit(q).index for q in i.qubits]) for i in written.data]
    assert shown == [("sx", [0]), ("cz", [1, 2]), ("rzz", [1, 0]), ("rz", [2])]
    own = ChannelNoise(spec).after("cz", (1, 2), {0, 1, 2}, 4)
    assert [qubits for qubits, _ in own] == [(1, 0), (2,)]
    pair = QuantumCircuit(2)
    pair.rzz(0.3, 0, 1)
    np.testing.assert_allclose(own[0][1], unitary_ptm(Operator(pair).data), atol=1e-12)
    alone = QuantumCircuit(1)
    alone.rz(0.3, 0)
    np.testing.assert_allclose(own[1][1], unitary_ptm(Operator(alone).data), atol=1e-12)


def test_crosstalk_follows_the_couplings_of_a_device():
    spec = NoiseSpec(
        "T", ("cz", "rz", "sx"), (QubitNoise(),) * 4,
        tuple(GateNoise("cz", pair, 2) for pair in ((0, 1), (1, 2), (1, 3))),
        sources=parse_parametric("zz(0.3)").sources,
    )  # fmt: skip
    assert [q for q, _ in ChannelNoise(spec).after("cz", (0, 1), {0, 1, 2, 3}, 4)] == [
        (1, 2), (1, 3),
    ]  # fmt: skip
    untouched = QuantumCircuit(2)
    assert with_crosstalk(untouched, calibrated(FakeManilaV2().target)) is untouched
