"""What channels and crosstalk ask of a description of noise; `NoiseSpec` is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise
from qvlm_qiskit.noise_models.description.sources import NoiseSource, ReadoutError


class NoiseDescription(Protocol):
    """The noise of a device as data; for the attributes see `NoiseSpec`."""

    @property
    def name(self) -> str:
        """Where it comes from."""
        ...

    @property
    def basis_gates(self) -> tuple[str, ...]:
        """Names of the gates of the device."""
        ...

    @property
    def qubits(self) -> tuple[QubitNoise, ...]:
        """One entry per qubit; empty for any width."""
        ...

    @property
    def gates(self) -> tuple[GateNoise, ...]:
        """The noisy gates, and the placed gates on two qubits."""
        ...

    @property
    def sources(self) -> tuple[NoiseSource, ...]:
        """Parametric sources of error on top."""
        ...

    def check(self) -> None:
        """Refuse instructions that are no standard gates."""
        ...


def readout_after(qubit: QubitNoise, sources: Iterable[NoiseSource]) -> tuple[float, float]:
    """p(1|0) and p(0|1) of a qubit's own readout error followed by those of readout sources."""
    up, down = qubit.p_meas1_prep0, qubit.p_meas0_prep1
    for source in sources:
        if isinstance(source, ReadoutError):
            more_up, more_down = source.p_meas1_prep0, source.p_meas0_prep1
            up, down = (
                up * (1 - more_down) + (1 - up) * more_up,
                down * (1 - more_up) + (1 - down) * more_down,
            )
    return up, down
