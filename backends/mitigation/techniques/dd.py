"""Dynamical decoupling by the Runtime client."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.backends.mitigation.step import RUNTIME, Step, technique

SEQUENCES = ("XX", "XpXm", "XY4")


@technique(
    on=RUNTIME,
    reasons={
        "noisy": "idle qubits have no noise in this simulator, so that pulses on them could only "
        "do harm"
    },
)
class Decoupling(Step):
    """Dynamical decoupling by the Runtime: pulses on idle qubits.

    Attributes:
        sequence: "XX", "XpXm" or "XY4".
    """

    name = "dd"
    rank = 0
    sequence: str = "XX"

    def __post_init__(self) -> None:
        self.one_of("sequence", SEQUENCES)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"idle qubits refocused by {self.sequence} pulses"

    def runtime_options(self) -> dict[str, Any]:
        """The client's dynamical decoupling."""
        return {"dynamical_decoupling": {"enable": True, "sequence_type": self.sequence}}
