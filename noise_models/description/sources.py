"""Parametric sources of error: each a few numbers that count for every qubit of a device.

A source acts after every application of the gates that it names, on whatever qubits; several act
in the order in which a description lists them, after the gate's own calibrated error. Crosstalk
comes last. Readout sources act on what is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, TypeAlias

from qvlm_qiskit.basics.numbers import is_real, use_plain_numbers
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.bounds import (
    check_duration,
    check_probability,
    check_times,
    scaled_time,
    scaled_value,
)


@dataclass(frozen=True)
class Depolarizing:
    """ρ → (1 − p)·ρ + p·I/d on all qubits of the gate together, d = 2^width.

    Attributes:
        gates: Names of the gates.
        probability: p.
    """

    kind: ClassVar[str] = "depolarizing"
    units: ClassVar[Mapping[str, str]] = {"probability": ""}
    gates: tuple[str, ...]
    probability: float

    def __post_init__(self) -> None:
        _own_names(self)
        use_plain_numbers(self)
        check_probability("depolarizing probability", self.probability)

    def scaled(self, factor: float) -> Depolarizing:
        """The probability times the factor."""
        return replace(self, probability=_scaled(self, "probability", factor, 1.0))


@dataclass(frozen=True)
class AmplitudeDamping:
    """Decay |1⟩ → |0⟩ with the given probability on every qubit of the gate.

    Attributes:
        gates: Names of the gates.
        probability: γ = 1 − exp(−t/T1).
    """

    kind: ClassVar[str] = "amplitude_damping"
    units: ClassVar[Mapping[str, str]] = {"probability": ""}
    gates: tuple[str, ...]
    probability: float

    def __post_init__(self) -> None:
        _own_names(self)
        use_plain_numbers(self)
        check_probability("amplitude damping probability", self.probability)

    def scaled(self, factor: float) -> AmplitudeDamping:
        """The probability times the factor."""
        return replace(self, probability=_scaled(self, "probability", factor, 1.0))


@dataclass(frozen=True)
class PhaseDamping:
    """Loss of coherence on every qubit of the gate: ρ01 → √(1 − λ)·ρ01.

    Attributes:
        gates: Names of the gates.
        probability: λ.
    """

    kind: ClassVar[str] = "phase_damping"
    units: ClassVar[Mapping[str, str]] = {"probability": ""}
    gates: tuple[str, ...]
    probability: float

    def __post_init__(self) -> None:
        _own_names(self)
        use_plain_numbers(self)
        check_probability("phase damping probability", self.probability)

    def scaled(self, factor: float) -> PhaseDamping:
        """The probability times the factor."""
        return replace(self, probability=_scaled(self, "probability", factor, 1.0))


@dataclass(frozen=True)
class ThermalRelaxation:
    """Relaxation and dephasing of every qubit of the gate during the gate.

    Attributes:
        gates: Names of the gates.
        duration_ns: How long they take.
        t1_us: Relaxation time; None when there is no relaxation.
        t2_us: Coherence time, at most 2·T1; None = 2·T1.
    """

    kind: ClassVar[str] = "thermal_relaxation"
    units: ClassVar[Mapping[str, str]] = {"duration_ns": "ns", "t1_us": "µs", "t2_us": "µs"}
    gates: tuple[str, ...]
    duration_ns: float
    t1_us: float | None = None
    t2_us: float | None = None

    def __post_init__(self) -> None:
        _own_names(self)
        use_plain_numbers(self)
        check_duration("thermal relaxation", self.duration_ns)
        check_times(self.t1_us, self.t2_us)

    def scaled(self, factor: float) -> ThermalRelaxation:
        """Both times divided by the factor."""
        return replace(
            self, t1_us=scaled_time(self.t1_us, factor), t2_us=scaled_time(self.t2_us, factor)
        )


@dataclass(frozen=True)
class OverRotation:
    """A coherent error: the gate turns further by a fraction of its own angle.

    sx by (1 + ε)·π/2 about X, x by (1 + ε)·π, cz and cx as controlled phases of (1 + ε)·π, ecr with
    both of its halves too long by ε. Gates with an angle of their own are refused: an error that
    depends on a parameter is no channel.

    Attributes:
        gates: Names of the gates.
        fraction: ε, at most 1 in size; negative = turned too little.
    """

    kind: ClassVar[str] = "over_rotation"
    units: ClassVar[Mapping[str, str]] = {"fraction": "of the gate's angle"}
    gates: tuple[str, ...]
    fraction: float

    def __post_init__(self) -> None:
        _own_names(self)
        use_plain_numbers(self)
        if not is_real(self.fraction) or abs(self.fraction) > 1:
            raise NoiseModelError(
                f"over-rotation fraction is {self.fraction!r}; it must lie between -1 and 1"
            )

    def scaled(self, factor: float) -> OverRotation:
        """The fraction times the factor."""
        return replace(self, fraction=_scaled(self, "fraction", factor, 1.0))


@dataclass(frozen=True)
class ZZCrosstalk:
    """exp(−i·φ/2·Z⊗Z) between a qubit of a two-qubit gate and each neighbour outside the gate.

    It comes once per gate and pair, after the gate and all its other errors. Neighbours are the
    qubits that placed two-qubit gates couple; where a description has none, qubits i and i + 1. A
    neighbour that nothing else acts on stays in |0⟩ and turns the gate's qubit by RZ(φ).

    Attributes:
        angle_rad: φ in radians.
    """

    kind: ClassVar[str] = "zz_crosstalk"
    units: ClassVar[Mapping[str, str]] = {"angle_rad": "rad"}
    angle_rad: float

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        if not is_real(self.angle_rad) or abs(self.angle_rad) > math.pi:
            raise NoiseModelError(f"zz angle is {self.angle_rad!r}; it must lie between -π and π")

    def scaled(self, factor: float) -> ZZCrosstalk:
        """The angle times the factor."""
        return replace(self, angle_rad=_scaled(self, "angle_rad", factor, math.pi))


@dataclass(frozen=True)
class ReadoutError:
    """Flips of what is read, on every qubit, after the qubit's own readout error.

    Attributes:
        p_meas1_prep0: Probability of reading 1 instead of 0.
        p_meas0_prep1: Probability of reading 0 instead of 1.
    """

    kind: ClassVar[str] = "readout"
    units: ClassVar[Mapping[str, str]] = {"p_meas1_prep0": "", "p_meas0_prep1": ""}
    p_meas1_prep0: float
    p_meas0_prep1: float

    def __post_init__(self) -> None:
        use_plain_numbers(self)
        for name in ("p_meas1_prep0", "p_meas0_prep1"):
            check_probability(name, getattr(self, name))

    def scaled(self, factor: float) -> ReadoutError:
        """Both probabilities times the factor."""
        return ReadoutError(
            p_meas1_prep0=_scaled(self, "p_meas1_prep0", factor, 0.5),
            p_meas0_prep1=_scaled(self, "p_meas0_prep1", factor, 0.5),
        )


GateSource: TypeAlias = (
    Depolarizing | AmplitudeDamping | PhaseDamping | ThermalRelaxation | OverRotation
)
NoiseSource: TypeAlias = GateSource | ZZCrosstalk | ReadoutError

GATE_SOURCES = (Depolarizing, AmplitudeDamping, PhaseDamping, ThermalRelaxation, OverRotation)
KINDS: dict[str, type[NoiseSource]] = {
    cls.kind: cls for cls in (*GATE_SOURCES, ZZCrosstalk, ReadoutError)
}


def source_to_dict(source: NoiseSource) -> dict[str, Any]:
    """A source as JSON-able data."""
    return {"kind": source.kind, **asdict(source)}


def source_from_dict(data: Mapping[str, Any]) -> NoiseSource:
    """Read `source_to_dict`'s data back.

    Raises:
        NoiseModelError: Another kind, a missing or unknown field, or an unphysical value.
    """
    body = dict(data)
    kind = body.pop("kind", None)
    if kind not in KINDS:
        raise NoiseModelError(f"unknown noise source {kind!r} (known: {', '.join(KINDS)})")
    cls: Any = KINDS[kind]
    unknown = sorted(set(body) - {field.name for field in fields(cls)})
    if unknown:
        raise NoiseModelError(f"noise source {kind} has unknown fields: {', '.join(unknown)}")
    made: NoiseSource = cls(**body)
    return made


def is_silent(source: NoiseSource) -> bool:
    """True when the source never causes an error."""
    if isinstance(source, ThermalRelaxation):
        return not source.duration_ns or (source.t1_us is None and source.t2_us is None)
    return all(not getattr(source, name) for name in source.units)


def _scaled(source: Any, name: str, factor: float, bound: float) -> float:
    return scaled_value(getattr(source, name), factor, bound, f"{name} of {source.kind}")


def _own_names(source: Any) -> None:
    """Keep the gate names as a tuple of strings."""
    names = source.gates
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise NoiseModelError(f"gates of {source.kind} must be a list of gate names, got {names!r}")
    object.__setattr__(source, "gates", tuple(names))
