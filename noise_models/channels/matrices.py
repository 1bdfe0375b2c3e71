r"""Channels as Pauli transfer matrices: R_ij = Tr(P_i E(P_j))/d, real, composed by products.

The index of a Pauli string on k qubits is Σ_j p_j·4^j with I, X, Y, Z = 0 … 3: the first operand
is the least significant digit, as in Qiskit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from qvlm_qiskit.basics.pauli_transfer import PAULIS, Matrix, Ptm, unitary_ptm
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise
from qvlm_qiskit.noise_models.description.sources import (
    AmplitudeDamping,
    Depolarizing,
    GateSource,
    OverRotation,
    PhaseDamping,
)


def depolarizing_ptm(probability: float, width: int) -> Ptm:
    """ρ → (1 − p)ρ + p·I/d."""
    return np.diag([1.0] + [1.0 - probability] * (4**width - 1))


def relaxation_ptm(duration_ns: float | None, t1_us: float | None, t2_us: float | None) -> Ptm:
    """Relaxation towards |0⟩ for a time; T2 = 2·T1 where only T1 is known."""
    if not duration_ns:
        return np.eye(4)
    if t2_us is None and t1_us is not None:
        t2_us = 2 * t1_us
    keep = 1.0 if t1_us is None else math.exp(-duration_ns * 1e-3 / t1_us)
    coherence = 1.0 if t2_us is None else math.exp(-duration_ns * 1e-3 / t2_us)
    return _damping_ptm(keep, coherence)


def device_ptm(gate: GateNoise, qubits: Sequence[QubitNoise]) -> Ptm:
    """The channel after a placed gate: depolarising, then relaxation for the gate's duration.

    As much depolarisation as brings the average infidelity of both together to the stated one;
    none where relaxation alone reaches it. The formula is Aer's (`basic_device_gate_errors`).
    """
    relaxation = _relaxing_ptm(gate, qubits)
    probability = _depolarisation(gate, relaxation)
    return relaxation @ depolarizing_ptm(probability, gate.width) if probability else relaxation


def placed_ptm(gate: GateNoise, qubits: Sequence[QubitNoise]) -> Ptm:
    """All that follows a placed gate: `device_ptm`, learned noise, and its own channel."""
    ptm = device_ptm(gate, qubits)
    if gate.rates:
        ptm = lindblad_ptm(gate.rates, gate.width) @ ptm
    return np.array(gate.channel) @ ptm if gate.channel else ptm


def depolarisation(gate: GateNoise, qubits: Sequence[QubitNoise]) -> float:
    """The p of the depolarising part of `device_ptm`; 0 where relaxation reaches the error."""
    return _depolarisation(gate, _relaxing_ptm(gate, qubits))


def _relaxing_ptm(gate: GateNoise, qubits: Sequence[QubitNoise]) -> Ptm:
    return tensor(*(relaxation_ptm(gate.duration_ns, q.t1_us, q.t2_us) for q in qubits))


def _depolarisation(gate: GateNoise, relaxation: Ptm) -> float:
    dim = 2.0**gate.width
    fidelity = float(np.trace(relaxation) / dim + 1) / (dim + 1)
    lost = min(gate.error, gate.max_error) - (1 - fidelity)
    if gate.name == "reset" or lost <= 0:
        return 0.0
    return min(dim * lost / (dim * fidelity - 1), dim**2 / (dim**2 - 1))


def lindblad_ptm(rates: Sequence[tuple[str, float]], width: int) -> Ptm:
    """Pauli-Lindblad noise: a Pauli keeps exp(−2 Σ λ) over those that anticommute with it.

    Args:
        rates: λ by Pauli, a letter for each operand in its order.
        width: Number of operands.
    """
    digits = [[(index // 4**q) % 4 for q in range(width)] for index in range(4**width)]
    kept = np.zeros(4**width)
    for pauli, rate in rates:
        letters = ["IXYZ".index(letter) for letter in pauli]
        for index, own in enumerate(digits):
            apart = sum(a != b and a != 0 and b != 0 for a, b in zip(own, letters, strict=True))
            kept[index] -= 2 * rate * (apart % 2)
    return np.diag(np.exp(kept))


def anywhere_ptm(gate: GateNoise) -> Ptm:
    """The channel of a gate for any qubits: depolarising of the stated infidelity, then its own."""
    dim = 2.0**gate.width
    ptm = depolarizing_ptm(gate.error * dim / (dim - 1), gate.width)
    return np.array(gate.channel) @ ptm if gate.channel else ptm


def source_ptm(source: GateSource, gate: str, width: int) -> Ptm:
    """The channel of a parametric source after one of its gates.

    Raises:
        NoiseModelError: An over-rotation of a gate that has no fixed generator here.
    """
    if isinstance(source, Depolarizing):
        return depolarizing_ptm(source.probability, width)
    if isinstance(source, OverRotation):
        return unitary_ptm(over_rotation_unitary(gate, source.fraction))
    if isinstance(source, AmplitudeDamping):
        keep = 1 - source.probability
        single = _damping_ptm(keep, math.sqrt(keep))
    elif isinstance(source, PhaseDamping):
        single = _damping_ptm(1.0, math.sqrt(1 - source.probability))
    else:
        single = relaxation_ptm(source.duration_ns, source.t1_us, source.t2_us)
    return tensor(*[single] * width)


def tensor(*factors: Ptm) -> Ptm:
    """Independent channels on several qubits; the first is the least significant."""
    whole: Ptm = np.eye(1)
    for factor in factors:
        whole = np.asarray(np.kron(factor, whole), dtype=np.float64)
    return whole


# gate → (Pauli, angle α): the gate is exp(−iα/2·P) up to a phase.
_ONE = {
    "x": ("X", math.pi),
    "y": ("Y", math.pi),
    "sx": ("X", math.pi / 2),
    "sxdg": ("X", -math.pi / 2),
}


def over_rotation_unitary(gate: str, fraction: float) -> Matrix:
    """What follows a gate that turned too far by a fraction of its angle.

    Raises:
        NoiseModelError: A gate that is not x, y, sx, sxdg, cz, cx or ecr.
    """
    if gate in _ONE:
        letter, angle = _ONE[gate]
        return _exponential(PAULIS["IXYZ".index(letter)], fraction * angle)
    if gate in ("cz", "cx"):
        # a controlled phase: on the first operand (the control, least significant) the projector
        target = PAULIS[3 if gate == "cz" else 1]
        generator = np.kron((np.eye(2) - target) / 2, (np.eye(2) - PAULIS[3]) / 2)
        phase = np.exp(1j * math.pi * fraction)
        unitary: Matrix = np.eye(4) + (phase - 1) * generator
        return unitary
    if gate == "ecr":
        # RZX(π/4)·(1 + ε), X on the control, RZX(−π/4)·(1 + ε): the X makes both errors add up
        return _exponential(np.kron(PAULIS[1], PAULIS[3]), -math.pi / 2 * fraction)
    raise NoiseModelError(
        f"over-rotation of {gate!r} is not defined (known: {', '.join(_ONE)}, cz, cx, ecr)"
    )


def _exponential(involution: Matrix, angle: float) -> Matrix:
    """exp(−i·angle/2·G) for G² = 1."""
    unitary: Matrix = math.cos(angle / 2) * np.eye(len(involution)) - (
        1j * math.sin(angle / 2) * involution
    )
    return unitary


def _damping_ptm(keep: float, coherence: float) -> Ptm:
    """|1⟩ survives with probability `keep`, coherences shrink by `coherence`."""
    ptm = np.diag([1.0, coherence, coherence, keep])
    ptm[3, 0] = 1.0 - keep
    return ptm
