"""`NoiseSpec`: what is known about a device's noise, as plain, versioned data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qvlm_qiskit.basics.files import write_text
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.channel_matrix import is_identity
from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise, Snapshot
from qvlm_qiskit.noise_models.description.gates import noisy_instruction
from qvlm_qiskit.noise_models.description.protocol import readout_after
from qvlm_qiskit.noise_models.description.sources import (
    GATE_SOURCES,
    NoiseSource,
    is_silent,
    source_from_dict,
    source_to_dict,
)

if TYPE_CHECKING:  # a description is read without Qiskit
    from qvlm_qiskit.noise_models.channels.channel_noise import ChannelNoise

FORMAT = "qvlm-noise"
VERSION = 2
LEARNED_VERSION = 3
"""Of descriptions in which gates have learned rates; older releases can't read them."""
CHANNEL_VERSION = 4
"""Of descriptions in which gates have channels of their own; likewise."""
READABLE = (1, 2, 3, 4)


@dataclass(frozen=True)
class NoiseSpec:
    """The noise of a device, or of the part of it that a circuit uses.

    Attributes:
        name: Where it comes from ("fake_torino", "depolarizing(p2=0.01,p1=0.001)").
        basis_gates: Names of the gates of the device, noisy or not.
        qubits: One entry per qubit, in index order; empty for a spec of any width.
        gates: The noisy gates, and the placed gates on two qubits whether noisy or not.
        physical_qubits: Index on the device of each entry of `qubits`.
        sources: Parametric sources of error, on top of what qubits and gates say.
        snapshot: The calibration that it was read from; None for a formula.
    """

    name: str
    basis_gates: tuple[str, ...]
    qubits: tuple[QubitNoise, ...] = ()
    gates: tuple[GateNoise, ...] = ()
    physical_qubits: tuple[int, ...] = ()
    sources: tuple[NoiseSource, ...] = ()
    snapshot: Snapshot | None = None

    def __post_init__(self) -> None:
        for name in ("basis_gates", "qubits", "gates", "physical_qubits", "sources"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.physical_qubits and len(self.physical_qubits) != len(self.qubits):
            raise NoiseModelError(
                f"{len(self.physical_qubits)} physical qubits are named for "
                f"{len(self.qubits)} qubits"
            )
        for gate in self.gates:
            if any(type(q) is not int or not 0 <= q < len(self.qubits) for q in gate.qubits):
                raise NoiseModelError(
                    f"{gate.name} on {gate.qubits} is outside the {len(self.qubits)} qubits"
                )

    @property
    def is_noise_free(self) -> bool:
        """True when nothing in the description causes an error."""
        relaxing = any(q.t1_us is not None or q.t2_us is not None for q in self.qubits)
        timed = any(g.duration_ns for g in self.gates)
        readout = any(q.p_meas1_prep0 or q.p_meas0_prep1 for q in self.qubits)
        learned = any(rate for g in self.gates for _, rate in g.rates)
        own = not all(is_identity(g.channel) for g in self.gates)
        placed = any(g.error for g in self.gates) or readout or (relaxing and timed)
        return not (placed or learned or own) and all(is_silent(source) for source in self.sources)

    def summary(self) -> dict[str, Any]:
        """Medians of the noise, for a report: errors, readout, T1 and T2 in µs."""
        return {
            "name": self.name,
            "error_1q_median": _median(self._errors(1)),
            "error_2q_median": _median(self._errors(2)),
            "readout_median": _median((q.p_meas1_prep0 + q.p_meas0_prep1) / 2 for q in self.qubits),
            "t1_us_median": _median(q.t1_us for q in self.qubits if q.t1_us is not None),
            "t2_us_median": _median(q.t2_us for q in self.qubits if q.t2_us is not None),
            "sources": [source_to_dict(source) for source in self.sources],
            "calibrated_utc": None if self.snapshot is None else self.snapshot.calibrated_utc,
        }

    def _errors(self, width: int) -> Iterator[float]:
        return (g.infidelity for g in self.gates if g.width == width and g.infidelity)

    def readout(self, qubit: int) -> tuple[float, float]:
        """p(1|0) and p(0|1) of a qubit, its own and those of readout sources after it."""
        return readout_after(self.qubits[qubit] if self.qubits else QubitNoise(), self.sources)

    def channels(self) -> ChannelNoise:
        """The noise as channels of the density-matrix engine, for ``TorchEstimator``.

        Raises:
            NoiseModelError: An unknown instruction, or an over-rotation of a gate that has no
                fixed angle.
        """
        from qvlm_qiskit.noise_models.channels.channel_noise import ChannelNoise

        return ChannelNoise(self)

    def check(self) -> None:
        """Refuse instructions that are no standard gates.

        Raises:
            NoiseModelError: One is, or a gate has another number of qubits than stated.
        """
        for name, width in {(gate.name, gate.width) for gate in self.gates}:
            noisy_instruction(name, width)
        for source in self.sources:
            if isinstance(source, GATE_SOURCES):
                for name in source.gates:
                    noisy_instruction(name)

    def check_age(self, max_age_days: float | None) -> None:
        """Refuse a snapshot of a calibration that is older than `max_age_days` (None: any age).

        Raises:
            NoiseModelError: It is, or the age limit is not positive, or there is no date.
        """
        if max_age_days is None:
            return
        if not max_age_days > 0:
            raise NoiseModelError(f"max_age_days is {max_age_days!r}; it must be positive")
        if self.snapshot is None:
            raise NoiseModelError(
                f"{self.name} has no calibration date, so max_age_days={max_age_days:g} can't hold"
            )
        if self.snapshot.age_days > max_age_days:
            date = self.snapshot.calibrated_utc or self.snapshot.taken_utc
            raise NoiseModelError(
                f"the calibration of {self.snapshot.device} is stale: it is of {date}, "
                f"{self.snapshot.age_days:.1f} days old, and max_age_days is {max_age_days:g}"
            )

    def digest(self) -> str:
        """SHA-256 in hexadecimal of all numbers; names and dates don't count."""
        content = self.to_dict()
        for key in ("name", "snapshot"):
            content.pop(key)
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The description as JSON-able data, with its format and version."""
        body = asdict(self)
        body["sources"] = [source_to_dict(source) for source in self.sources]
        for gate in body["gates"]:
            for name in ("rates", "channel"):
                if not gate[name]:
                    del gate[name]
        return {"format": FORMAT, "version": self._version(), **body}

    def _version(self) -> int:
        """The first version whose readers know all of this."""
        if any(gate.channel for gate in self.gates):
            return CHANNEL_VERSION
        return LEARNED_VERSION if any(gate.rates for gate in self.gates) else VERSION

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NoiseSpec:
        """Read `to_dict`'s data back.

        Raises:
            NoiseModelError: Another format or a newer version, a missing or unknown field, an
                unknown instruction, or values that are not physical.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise NoiseModelError(f"not a noise description: 'format' must be {FORMAT!r}")
        if data.get("version") not in READABLE:
            raise NoiseModelError(
                f"noise description of version {data.get('version')!r}; this release reads "
                f"versions {', '.join(map(str, READABLE[:-1]))} and {READABLE[-1]}"
            )
        body = {key: value for key, value in data.items() if key not in ("format", "version")}
        try:
            body["qubits"] = tuple(QubitNoise(**_known(QubitNoise, q)) for q in body["qubits"])
            body["gates"] = tuple(GateNoise(**_known(GateNoise, g)) for g in body["gates"])
            body["sources"] = tuple(source_from_dict(s) for s in body.get("sources", ()))
            taken = body.get("snapshot")
            body["snapshot"] = None if taken is None else Snapshot(**_known(Snapshot, taken))
            made = cls(**_known(cls, body))
        except (KeyError, TypeError, AttributeError) as ex:
            raise NoiseModelError(f"noise description is incomplete or malformed: {ex}") from ex
        made.check()
        return made

    def save(self, path: str | Path) -> None:
        """Write the description to a JSON file, which appears whole or not at all.

        Raises:
            NoiseModelError: It can't be written there.
        """
        try:
            write_text(Path(path), json.dumps(self.to_dict(), indent=1) + "\n")
        except OSError as ex:
            raise NoiseModelError(f"can't write the noise description {path}: {ex}") from ex

    @classmethod
    def load(cls, path: str | Path, max_age_days: float | None = None) -> NoiseSpec:
        """Read a description that `save` wrote.

        Args:
            path: The file.
            max_age_days: The oldest calibration that is accepted, in days; None = any.

        Raises:
            NoiseModelError: The file can't be read, is no JSON, is no valid description, or its
                calibration is stale.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as ex:
            raise NoiseModelError(f"can't read the noise description {path}: {ex}") from ex
        made = cls.from_dict(data)
        made.check_age(max_age_days)
        return made


def _known(cls: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(data) - {field.name for field in fields(cls)})
    if unknown:
        raise NoiseModelError(f"noise description has unknown fields: {', '.join(unknown)}")
    return dict(data)


def _median(values: Any) -> float | None:
    listed = list(values)
    return float(np.median(listed)) if listed else None
