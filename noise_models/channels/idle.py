"""What happens to a qubit during a delay: relaxation for its duration, and nothing else.

Formulas that speak of gates only (depolarizing, over-rotation and so on) leave a delay without
noise. T1 and T2 come from the qubit's calibration, and from relaxation sources of one-qubit gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from qiskit.circuit import ParameterExpression

from qvlm_qiskit.basics.pauli_transfer import Ptm
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.noise_models.channels.matrices import relaxation_ptm
from qvlm_qiskit.noise_models.description.entries import QubitNoise
from qvlm_qiskit.noise_models.description.gates import noisy_instruction
from qvlm_qiskit.noise_models.description.sources import NoiseSource, ThermalRelaxation

_NS = {"s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "ns": 1.0, "ps": 1e-3}
Times = tuple[float | None, float | None]
"""T1 and T2 in µs."""


def idle_times(qubit: QubitNoise, sources: Iterable[NoiseSource]) -> list[Times]:
    """T1 and T2 of everything that relaxes an idle qubit; empty where nothing does."""
    own = [(qubit.t1_us, qubit.t2_us)]
    own += [
        (source.t1_us, source.t2_us)
        for source in sources
        if isinstance(source, ThermalRelaxation)
        and any(noisy_instruction(name).num_qubits == 1 for name in source.gates)
    ]
    return [times for times in own if times != (None, None)]


def delay_ns(duration: Any, unit: str, dt: float | None) -> float:
    """A delay's duration in ns.

    Args:
        duration: As the instruction says it.
        unit: Likewise.
        dt: Seconds of the unit "dt" on the device; None where it has none.

    Raises:
        CircuitError: A duration without a value, or in a unit that the device does not have.
    """
    if isinstance(duration, ParameterExpression) and duration.parameters:
        raise CircuitError(
            f"the circuit has a delay of {duration}; noise during a delay needs its duration as a "
            "number"
        )
    if unit == "dt" and dt:
        return float(duration) * dt * 1e9
    if unit not in _NS:
        raise CircuitError(
            f"the circuit has a delay of {duration} {unit}, and this noise does not say how long "
            "that is: give delays in ns"
        )
    return float(duration) * _NS[unit]


def idle_ptm(times: Sequence[Times], duration_ns: float) -> Ptm:
    """The channel of an idle qubit as a Pauli transfer matrix."""
    whole: Ptm = np.eye(4)
    for t1, t2 in times:
        whole = relaxation_ptm(duration_ns, t1, t2) @ whole
    return whole
