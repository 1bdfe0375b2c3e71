"""The Pauli part of a device's gate noise, and its inverse."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import PTM, SuperOp
from qiskit_aer.noise import QuantumError

from qvlm_qiskit.backends.mitigation.pauli_frames import pauli_bits
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import NoiseSpec, build

Floats = NDArray[np.float64]
# A Pauli that a gate keeps with less than this can't be recovered from any number of shots.
MIN_FIDELITY = 0.05


@dataclass(frozen=True)
class QuasiInverse:
    """The inverse of a Pauli channel as a quasi-probability over Paulis.

    Attributes:
        weights: (4^k,) real weights that sum to 1, in the order of `pauli_bits`.
        gamma: Σ|w|, the factor on the standard error.
        residual: Largest entry of the noise's Pauli transfer matrix off its diagonal: what is not
            a Pauli channel (relaxation towards |0⟩, coherent errors) and stays.
    """

    weights: Floats
    gamma: float
    residual: float


def inverse_of(channel: Any, what: str) -> QuasiInverse:
    """The inverse of a channel's Pauli part.

    The diagonal f_P of the Pauli transfer matrix is the channel averaged over Paulis. A Pauli
    channel with probabilities p_Q has f_P = Σ_Q ±p_Q, the sign being − where P and Q anticommute,
    so the inverse has 1/f_P and the weights w_Q = 4^−k·Σ_P ±1/f_P.

    Args:
        channel: A `qiskit.quantum_info` channel on k qubits, or what converts to one.
        what: The gate, for the message.

    Raises:
        MitigationError: A Pauli of which next to nothing is left.
    """
    transfer = np.real(PTM(SuperOp(channel)).data)
    width = int(np.log2(len(transfer)) / 2)
    # The matrix is ordered I, X, Y, Z per qubit, the last qubit slowest; ours by bits.
    bits = pauli_bits(width)
    order = [_ptm_index(row) for row in bits]
    fidelities = np.diag(transfer)[order]
    if fidelities.min() < MIN_FIDELITY:
        raise MitigationError(
            f"pec can't invert the noise of {what}: it keeps a fraction of "
            f"{fidelities.min():.3f} of a Pauli; use other qubits or another technique"
        )
    x, z = bits[:, :width].astype(int), bits[:, width:].astype(int)
    signs = 1.0 - 2.0 * ((x @ z.T + z @ x.T) % 2)  # (Q, P)
    weights = signs @ (1.0 / fidelities) / 4**width
    residual = float(np.abs(transfer - np.diag(np.diag(transfer))).max())
    return QuasiInverse(weights, float(np.abs(weights).sum()), residual)


def _ptm_index(bits: NDArray[np.bool_]) -> int:
    width = len(bits) // 2
    digits = [(0, 1, 3, 2)[int(bits[q]) + 2 * int(bits[width + q])] for q in range(width)]
    return sum(digit * 4**position for position, digit in enumerate(digits))


class GateInverses:
    """Inverses of the noise of a device's gates.

    Args:
        spec: The noise. Its qubit i is number i here.

    Raises:
        NoiseModelError: A gate of the description that can't be simulated.
    """

    def __init__(self, spec: NoiseSpec) -> None:
        self._errors: dict[tuple[str, tuple[int, ...] | None], Any] = {}
        for entry in build(spec).to_dict()["errors"]:
            if entry["type"] == "qerror":
                for name, qubits in itertools.product(
                    entry["operations"], entry.get("gate_qubits", [None])
                ):
                    self._errors[name, qubits and tuple(qubits)] = entry
        self._inverses: dict[str, QuasiInverse] = {}

    def get(self, name: str, qubits: tuple[int, ...]) -> QuasiInverse | None:
        """The inverse of a gate's noise; None for a gate without noise.

        Raises:
            MitigationError: Noise that can't be inverted.
        """
        entry = self._errors.get((name, qubits)) or self._errors.get((name, None))
        if entry is None:
            return None
        if entry["id"] not in self._inverses:
            channel = QuantumError.from_dict(entry)
            self._inverses[entry["id"]] = inverse_of(channel, f"{name} on qubits {list(qubits)}")
        return self._inverses[entry["id"]]
