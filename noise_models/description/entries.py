"""What a description says of one qubit, of one gate, and of the calibration that it comes from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from qvlm_qiskit.basics.numbers import use_plain_numbers
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.bounds import (
    check_duration,
    check_probability,
    check_times,
    scaled_time,
    scaled_value,
)
from qvlm_qiskit.noise_models.description.channel_matrix import (
    Rows,
    channel_infidelity,
    checked_rows,
    scaled_rows,
)


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
        use_plain_numbers(self)
        for name in ("p_meas1_prep0", "p_meas0_prep1"):
            check_probability(name, getattr(self, name))
        check_times(self.t1_us, self.t2_us)

    def scaled(self, factor: float) -> QubitNoise:
        """The entry with times divided and readout errors multiplied by a factor.

        Raises:
            NoiseModelError: A readout error would go beyond 1/2.
        """
        return QubitNoise(
            t1_us=scaled_time(self.t1_us, factor),
            t2_us=scaled_time(self.t2_us, factor),
            p_meas1_prep0=scaled_value(self.p_meas1_prep0, factor, 0.5, "readout error p(1|0)"),
            p_meas0_prep1=scaled_value(self.p_meas0_prep1, factor, 0.5, "readout error p(0|1)"),
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
        rates: Learned Pauli-Lindblad noise behind a placed gate, beside what `error` says: rates
            λ ≥ 0 by Pauli, a letter of I, X, Y, Z for each operand in its order.
        channel: The gate's own channel behind all that, as rows of its Pauli transfer matrix;
            empty for none. See `description.channel_matrix`.
    """

    name: str
    qubits: tuple[int, ...]
    width: int
    error: float = 0.0
    duration_ns: float | None = None
    rates: tuple[tuple[str, float], ...] = ()
    channel: Rows = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "qubits", tuple(self.qubits))
        _check_rates(self)
        what = f"{self.name} on {list(self.qubits) or 'any qubits'}"
        object.__setattr__(self, "channel", checked_rows(self.channel, self.width, what))
        use_plain_numbers(self)
        check_probability(f"error of {self.name} on {self.qubits}", self.error)
        if self.duration_ns is not None:
            check_duration(self.name, self.duration_ns)
        if self.qubits and len(self.qubits) != self.width:
            raise NoiseModelError(f"{self.name} has width {self.width} but qubits {self.qubits}")

    @property
    def max_error(self) -> float:
        """The infidelity d/(d + 1) of the worst depolarising channel, d = 2^width."""
        return 1.0 - 1.0 / (2.0**self.width + 1.0)

    @property
    def infidelity(self) -> float:
        """Average gate infidelity of all that is said of the gate.

        `error` counts as if it depolarised, and the channel behind it as if it were independent.
        """
        if not self.rates and not self.channel:
            return self.error
        dim = 2.0**self.width
        depolarised = self.error * dim / (dim - 1.0)
        kept = (1.0 - depolarised) * _mean_fidelity(self) + depolarised / dim**2
        own = (1.0 - kept) * dim / (dim + 1.0)
        return 1.0 - (1.0 - own) * (1.0 - channel_infidelity(self.channel))

    def scaled(self, factor: float) -> GateNoise:
        """The entry with its infidelity multiplied by a factor, its channel so many times.

        Raises:
            NoiseModelError: It would go beyond `max_error`.
        """
        what = f"error of {self.name} on {list(self.qubits) or 'any qubits'}"
        error = scaled_value(self.error, factor, self.max_error, what)
        rates = tuple((pauli, factor * rate) for pauli, rate in self.rates)
        channel = scaled_rows(self.channel, factor)
        return replace(self, error=error, rates=rates, channel=channel)


def _mean_fidelity(gate: GateNoise) -> float:
    """Mean over all Paulis of exp(−2 Σ λ) over the rates' Paulis that anticommute with each."""
    found = [
        math.exp(-2.0 * sum(rate for own, rate in gate.rates if _anticommute(own, pauli)))
        for pauli in itertools.product("IXYZ", repeat=gate.width)
    ]
    return sum(found) / len(found)


def _anticommute(first: Iterable[str], second: Iterable[str]) -> bool:
    different = (a != b and "I" not in (a, b) for a, b in zip(first, second, strict=True))
    return sum(different) % 2 == 1


def _check_rates(gate: GateNoise) -> None:
    """Keep a gate's rates as a tuple, sorted by Pauli, or refuse them."""
    rates = tuple((str(pauli), float(rate)) for pauli, rate in gate.rates)
    names = [pauli for pauli, _ in rates]
    letters = all(len(name) == gate.width and set(name) <= set("IXYZ") for name in names)
    if not letters or len(set(names)) != len(names) or "I" * gate.width in names:
        raise NoiseModelError(
            f"rates of {gate.name} are of the Paulis {names}: each has {gate.width} letters of "
            "IXYZ, not all I, and is named once"
        )
    if not all(0 <= rate < math.inf for _, rate in rates):
        raise NoiseModelError(f"rates of {gate.name} must be finite and at least 0")
    if rates and not gate.qubits:
        raise NoiseModelError(f"rates of {gate.name} belong to a place: name its qubits")
    object.__setattr__(gate, "rates", tuple(sorted(rates)))


@dataclass(frozen=True)
class Snapshot:
    """When and from what a calibration was read.

    Attributes:
        device: The device's name.
        calibrated_utc: When the device was calibrated, ISO 8601 in UTC; None when it doesn't say.
        taken_utc: When the snapshot was taken, likewise.
        versions: The device's software version and those of the packages that read it.
    """

    device: str
    calibrated_utc: str | None
    taken_utc: str
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("calibrated_utc", "taken_utc"):
            value = getattr(self, name)
            if value is not None:
                _moment(name, value)

    @property
    def age_days(self) -> float:
        """Days since the calibration; since the snapshot was taken where that is unknown."""
        since = _moment("date", self.calibrated_utc or self.taken_utc)
        return (datetime.now(UTC) - since).total_seconds() / 86400


def _moment(name: str, value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as ex:
        raise NoiseModelError(f"{name} of the snapshot is {value!r}, no ISO 8601 date") from ex
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
