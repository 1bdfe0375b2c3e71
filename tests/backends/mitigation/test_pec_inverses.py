"""Quasi-probabilities that undo the noise of a gate."""

import numpy as np
import pytest
from qiskit.circuit.library import RZZGate
from qiskit.quantum_info import PTM, Operator, SuperOp
from qiskit_aer.noise import (
    amplitude_damping_error,
    coherent_unitary_error,
    depolarizing_error,
    pauli_error,
    thermal_relaxation_error,
)  # fmt: skip

from qvlm_qiskit.backends.mitigation.pauli_frames import pauli_bits
from qvlm_qiskit.backends.mitigation.pec_inverses import GateInverses, inverse_of
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import calibrated, depolarizing
from tests.backends.mitigation.circuits import as_pauli

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
    pytest.importorskip("mitiq")
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
