"""The engine's channels against those that Aer builds from the same description."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import PTM, SuperOp
from qiskit_aer import AerSimulator
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
)
from tests.parameters import first_by_default

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


@pytest.mark.parametrize("device", first_by_default(FakeLagosV2, FakeManilaV2, FakeSherbrooke))
@pytest.mark.parametrize("text", [None, pytest.param(TOGETHER, marks=pytest.mark.slow)])
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
    with pytest.raises(CircuitError, match=r"'h' is no gate of .*its gates: [^)]*\bcx\b"):
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


def test_gates_with_and_without_place_are_aers():
    gates = (
        GateNoise("sx", (), 1, 0.01),
        GateNoise("sx", (0,), 1, 0.03),
        GateNoise("cz", (), 2, 0.02),
    )
    spec = NoiseSpec("mixed", ("sx", "cz", "rz"), (QubitNoise(), QubitNoise()), gates)
    noise, expected = ChannelNoise(spec), aer_channels(spec)
    assert set(expected) == {("sx", ()), ("sx", (0,)), ("cz", ())}
    for name, qubits in (("sx", (0,)), ("sx", (1,)), ("cz", (1, 0))):
        theirs = expected.get((name, qubits), expected[name, ()])
        np.testing.assert_allclose(own_channel(noise, name, qubits), theirs, atol=1e-12)


def test_a_place_without_an_error_has_none_of_those_for_any_qubits():
    gates = (GateNoise("sx", (), 1, 0.3), GateNoise("sx", (1,), 1, 0.0))
    spec = NoiseSpec("mixed", ("sx", "rz"), (QubitNoise(), QubitNoise()), gates)
    assert ChannelNoise(spec).after("sx", (1,), (1,), 2) == []
    circuit = QuantumCircuit(2)
    circuit.sx([0, 0, 1, 1])
    circuit.save_probabilities()
    simulator = AerSimulator(noise_model=build(spec), method="density_matrix")
    found = simulator.run(circuit).result().data()["probabilities"].reshape(2, 2)
    assert found[1].sum() == pytest.approx(1.0) and found[:, 1].sum() < 0.9
    turned = combined(spec, parse_parametric("amplitude_damping(0,0.2)", spec.basis_gates))
    noise, expected = ChannelNoise(turned), aer_channels(turned)
    for qubit in (0, 1):
        theirs = expected.get(("sx", (qubit,)), expected["sx", ()])
        np.testing.assert_allclose(own_channel(noise, "sx", (qubit,)), theirs, atol=1e-12)
