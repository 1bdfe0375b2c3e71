"""What the density-matrix engine has to know about noise, whoever describes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qvlm_qiskit.basics.pauli_transfer import Ptm

Qubits = tuple[int, ...]


class Measurements(Protocol):
    """Answers what a measurement reads."""

    def measurement(self, qubit: int, pauli: str) -> NDArray[np.float64]:
        """The mean of a measured Pauli as coefficients ``(4,)`` of ⟨I⟩, ⟨X⟩, ⟨Y⟩, ⟨Z⟩.

        Args:
            qubit: As the circuit counts it.
            pauli: "X", "Y" or "Z".
        """
        ...


@runtime_checkable
class NoiseChannels(Measurements, Protocol):
    """Answers what follows an instruction of an ISA circuit, and what a measurement reads.

    ``qvlm_qiskit.noise_models.ChannelNoise`` is one; ``NoiseSpec.channels()`` makes it.
    """

    def after(
        self, name: str, qubits: Qubits, acting: Collection[int], width: int
    ) -> Sequence[tuple[Qubits, Ptm]]:
        """The channels that follow an instruction, in order, each on one or two qubits.

        Args:
            name: The instruction's name.
            qubits: Its operands, as the circuit counts them.
            acting: The qubits that some instruction of the circuit acts on. Only they may be
                named in the answer; every other one stays in |0⟩.
            width: Number of qubits of the circuit.

        Raises:
            CircuitError: An instruction that the noise is not known of.
        """
        ...


@runtime_checkable
class IdleNoise(Protocol):
    """A `NoiseChannels` that also says what a delay does."""

    def idle(self, qubit: int, duration: Any, unit: str) -> Ptm | None:
        """The channel of one qubit during a delay; None where nothing happens.

        Args:
            qubit: As the circuit counts it.
            duration: As the delay says it.
            unit: "s", "ms", "us", "ns", "ps" or "dt".

        Raises:
            CircuitError: A duration that is not known.
        """
        ...


@runtime_checkable
class NoiseSource(Protocol):
    """A description of noise that can say what it does to circuits, such as ``NoiseSpec``."""

    def channels(self) -> NoiseChannels:
        """The noise as channels."""
        ...
