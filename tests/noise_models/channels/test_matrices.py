import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import PTM, Kraus, Operator

from qvlm_qiskit.basics.pauli_transfer import unitary_ptm
from qvlm_qiskit.noise_models.channels.matrices import (
    anywhere_ptm,
    device_ptm,
    over_rotation_unitary,
    relaxation_ptm,
)
from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise


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


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_gate_loses_its_stated_average_fidelity_with_and_without_place(width):
    dim, error = 2**width, 0.03
    qubits = [QubitNoise(t1_us=100.0)] * width
    placed = GateNoise("u", tuple(range(width)), width, error, duration_ns=100.0)
    for channel in (
        anywhere_ptm(GateNoise("u", (), width, error)),
        device_ptm(placed, qubits),
    ):
        assert (np.trace(channel) / dim + 1) / (dim + 1) == pytest.approx(1 - error)


def test_relaxation_of_which_only_t1_is_known_is_amplitude_damping():
    lost = 1 - np.exp(-0.4)
    kraus = Kraus([np.diag([1, np.sqrt(1 - lost)]), [[0, np.sqrt(lost)], [0, 0]]])
    np.testing.assert_allclose(relaxation_ptm(40_000.0, 100.0, None), PTM(kraus).data, atol=1e-12)
    pure = relaxation_ptm(40_000.0, None, 100.0)
    np.testing.assert_allclose(pure, np.diag([1, np.exp(-0.4), np.exp(-0.4), 1]), atol=1e-12)
