"""`NoiseSpec`: what is known about a device's noise, as plain, versioned data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from qvlm_qiskit.errors import NoiseModelError

FORMAT = "qvlm-noise"
VERSION = 1


@dataclass(frozen=True)
class QubitNoise:
    """Relaxation and readout of one qubit.

    Attributes:
        t1_us: Relaxation time T1 in µs; None when there is no relaxation.
        t2_us: Coherence time T2 in µs, at most 2·T1; None when there is no dephasing by time.
        p_meas1_prep0: Probability of reading 1 after preparing 0, p(1|0).
        p_meas0_prep1: Probability of reading 0 after preparing 1, p(0|1).
    """

    t1_us: float | None = None
    t2_us: float | None = None
    p_meas1_prep0: float = 0.0
    p_meas0_prep1: float = 0.0

    def __post_init__(self) -> None:
        for name in ("p_meas1_prep0", "p_meas0_prep1"):
            check_probability(name, getattr(self, name))
        for name in ("t1_us", "t2_us"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise NoiseModelError(f"{name} is {value!r}; it must be a positive time in µs")
        # A calibration that stores T2 = 2·T1 exactly must survive the change of units.
        if self.t1_us is not None and self.t2_us is not None:
            if self.t2_us > 2 * self.t1_us * (1 + 1e-9):
                raise NoiseModelError(
                    f"t2_us={self.t2_us} is above 2·t1_us={2 * self.t1_us}: no physical process "
                    "dephases more slowly than relaxation alone"
                )


@dataclass(frozen=True)
class GateNoise:
    """Error of one gate on one ordered tuple of qubits.

    Attributes:
        name: The gate's Qiskit name ("cz").
        qubits: Qubit indices in the order of the gate's operands; empty = wherever it is applied.
        width: Number of qubits that the gate acts on.
        error: Average gate infidelity 1 − F, relaxation during the gate included. A depolarising
            channel (1 − p)ρ + p·I/d has the infidelity p·(d − 1)/d.
        duration_ns: Duration in ns, None when unknown; relaxation needs it.
    """

    name: str
    qubits: tuple[int, ...]
    width: int
    error: float = 0.0
    duration_ns: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "qubits", tuple(self.qubits))
        check_probability(f"error of {self.name} on {self.qubits}", self.error)
        if self.duration_ns is not None and not (
            _is_number(self.duration_ns) and self.duration_ns >= 0
        ):
            raise NoiseModelError(
                f"duration_ns of {self.name} is {self.duration_ns!r}; it must be at least 0"
            )
        if self.qubits and len(self.qubits) != self.width:
            raise NoiseModelError(f"{self.name} has width {self.width} but qubits {self.qubits}")

    @property
    def max_error(self) -> float:
        """The infidelity d/(d + 1) of the worst depolarising channel, d = 2^width."""
        return 1.0 - 1.0 / (2.0**self.width + 1.0)


@dataclass(frozen=True)
class NoiseSpec:
    """The noise of a device, or of the part of it that a circuit uses.

    Attributes:
        name: Where it comes from ("fake_torino", "depolarizing(p1=0.001,p2=0.01)").
        basis_gates: Names of the gates of the device, noisy or not.
        qubits: One entry per qubit, in index order; empty for a spec of any width.
        gates: The noisy gates.
        physical_qubits: Index on the device of each entry of `qubits`.
    """

    name: str
    basis_gates: tuple[str, ...]
    qubits: tuple[QubitNoise, ...] = ()
    gates: tuple[GateNoise, ...] = ()
    physical_qubits: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("basis_gates", "qubits", "gates", "physical_qubits"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.physical_qubits and len(self.physical_qubits) != len(self.qubits):
            raise NoiseModelError(
                f"{len(self.physical_qubits)} physical qubits are named for "
                f"{len(self.qubits)} qubits"
            )
        for gate in self.gates:
            if any(not 0 <= qubit < len(self.qubits) for qubit in gate.qubits):
                raise NoiseModelError(
                    f"{gate.name} on {gate.qubits} is outside the {len(self.qubits)} qubits"
                )

    @property
    def is_noise_free(self) -> bool:
        """True when nothing in the description causes an error."""
        relaxing = any(q.t1_us is not None or q.t2_us is not None for q in self.qubits)
        timed = any(g.duration_ns for g in self.gates)
        readout = any(q.p_meas1_prep0 or q.p_meas0_prep1 for q in self.qubits)
        return not (any(g.error for g in self.gates) or readout or (relaxing and timed))

    def summary(self) -> dict[str, Any]:
        """Medians of the noise, for a report: errors, readout, T1 and T2 in µs."""
        return {
            "name": self.name,
            "error_1q_median": _median(g.error for g in self.gates if g.width == 1 and g.error),
            "error_2q_median": _median(g.error for g in self.gates if g.width == 2 and g.error),
            "readout_median": _median((q.p_meas1_prep0 + q.p_meas0_prep1) / 2 for q in self.qubits),
            "t1_us_median": _median(q.t1_us for q in self.qubits if q.t1_us is not None),
            "t2_us_median": _median(q.t2_us for q in self.qubits if q.t2_us is not None),
        }

    def to_dict(self) -> dict[str, Any]:
        """The description as JSON-able data, with its format and version."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NoiseSpec:
        """Read `to_dict`'s data back.

        Raises:
            NoiseModelError: Another format or version, a missing or unknown field, or values
                that are not physical.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise NoiseModelError(f"not a noise description: 'format' must be {FORMAT!r}")
        if data.get("version") != VERSION:
            raise NoiseModelError(
                f"noise description of version {data.get('version')!r}; "
                f"this release reads version {VERSION}"
            )
        body = {key: value for key, value in data.items() if key not in ("format", "version")}
        try:
            body["qubits"] = tuple(QubitNoise(**_known(QubitNoise, q)) for q in body["qubits"])
            body["gates"] = tuple(GateNoise(**_known(GateNoise, g)) for g in body["gates"])
            return cls(**_known(cls, body))
        except (KeyError, TypeError) as ex:
            raise NoiseModelError(f"noise description is incomplete or malformed: {ex}") from ex

    def save(self, path: str | Path) -> None:
        """Write the description to a JSON file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> NoiseSpec:
        """Read a description that `save` wrote.

        Raises:
            NoiseModelError: The file can't be read, is no JSON, or is no valid description.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as ex:
            raise NoiseModelError(f"can't read the noise description {path}: {ex}") from ex
        return cls.from_dict(data)


def check_probability(name: str, value: Any) -> None:
    """Refuse anything but a number in [0, 1].

    Raises:
        NoiseModelError: `value` is not a probability.
    """
    if not _is_number(value) or not 0.0 <= value <= 1.0:
        raise NoiseModelError(f"{name} is {value!r}; a probability is a number between 0 and 1")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _known(cls: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(data) - {field.name for field in fields(cls)})
    if unknown:
        raise NoiseModelError(f"noise description has unknown fields: {', '.join(unknown)}")
    return dict(data)


def _median(values: Any) -> float | None:
    listed = list(values)
    return float(np.median(listed)) if listed else None
