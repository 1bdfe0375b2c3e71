"""Mitigation techniques and their parameters; `mitigation_names` reads and writes their names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from qvlm_qiskit.errors import MitigationError, UnknownNameError

FACTORIES = ("linear", "richardson", "quadratic", "exp")
SEQUENCES = ("XX", "XpXm", "XY4")
MAX_CIRCUITS = 100_000


@dataclass(frozen=True)
class Step:
    """A technique with its parameters; subclasses are the known ones.

    `str()` gives the name that `mitigation_names.parse_mitigation` reads back.
    """

    name: ClassVar[str] = ""
    # Wrappers are applied from the lowest rank (next to the device) to the highest.
    rank: ClassVar[int] = 0

    def __str__(self) -> str:
        changed = [
            f"{field.name}={_written(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return self.name + (f"({','.join(changed)})" if changed else "")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return ""

    def parameters(self) -> dict[str, Any]:
        """All parameters, the defaults included, JSON-able."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in found.items()}

    def _whole(self, parameter: str, low: int, high: int = MAX_CIRCUITS) -> None:
        value = getattr(self, parameter)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self._refuse(parameter, f"it must be a whole number from {low} to {high:,}")

    def _fraction(self, parameter: str) -> None:
        value = getattr(self, parameter)
        if not _is_real(value) or not 0 <= value <= 1:
            self._refuse(parameter, "it must be a number from 0 to 1")

    def _one_of(self, parameter: str, known: Sequence[str]) -> None:
        value = getattr(self, parameter)
        if value not in known:
            unknown = UnknownNameError(f"{self.name} {parameter}", str(value), known)
            raise MitigationError(str(unknown))

    def _odd_scales(self) -> None:
        scales = tuple(self.scales)  # type: ignore[attr-defined]
        object.__setattr__(self, "scales", scales)
        whole = all(isinstance(s, int) and not isinstance(s, bool) for s in scales)
        odd = whole and all(scale >= 1 and scale % 2 == 1 for scale in scales)
        if not odd or scales[:1] != (1,) or len(set(scales)) != len(scales):
            raise MitigationError(
                f"scale factors {scales} can't be folded: they are distinct odd whole numbers that "
                "start with 1"
            )

    def _refuse(self, parameter: str, rule: str) -> None:
        raise MitigationError(f"{self.name}: {parameter} is {getattr(self, parameter)!r}; {rule}")


@dataclass(frozen=True)
class Unmitigated(Step):
    """The device's own values."""

    name = "none"

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "nothing is mitigated"


@dataclass(frozen=True)
class Twirling(Step):
    """Random Paulis around two-qubit gates, averaged.

    Attributes:
        randomizations: Number of random circuits that share the shots.
    """

    name = "twirling"
    randomizations: int = 32

    def __post_init__(self) -> None:
        self._whole("randomizations", 2)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"two-qubit gates twirled by random Paulis, {self.randomizations} circuits"


@dataclass(frozen=True)
class Decoupling(Step):
    """Dynamical decoupling by the Runtime: pulses on idle qubits.

    Attributes:
        sequence: "XX", "XpXm" or "XY4".
    """

    name = "dd"
    sequence: str = "XX"

    def __post_init__(self) -> None:
        self._one_of("sequence", SEQUENCES)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"idle qubits refocused by {self.sequence} pulses"


@dataclass(frozen=True)
class Resilience0(Step):
    """The Runtime's level 0: nothing is mitigated."""

    name = "resilience-0"

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "level 0 of the Runtime client, nothing is mitigated"


@dataclass(frozen=True)
class Resilience1(Step):
    """The Runtime's level 1: readout mitigation (TREX)."""

    name = "resilience-1"

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "level 1 of the Runtime client, readout errors removed by twirled readout (TREX)"


@dataclass(frozen=True)
class Resilience2(Step):
    """The Runtime's level 2: TREX, gate twirling and zero-noise extrapolation."""

    name = "resilience-2"

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "level 2 of the Runtime client: TREX, gate twirling and zero-noise extrapolation"


@dataclass(frozen=True)
class Readout(Step):
    """Readout errors inverted by rewriting observables.

    Attributes:
        shots: At least this many shots for each of the two calibration circuits.
    """

    name = "readout"
    rank = 1
    shots: int = 10_000

    def __post_init__(self) -> None:
        self._whole("shots", 1, 10**9)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "readout errors inverted from two calibration circuits"


@dataclass(frozen=True)
class Zne(Step):
    """Zero-noise extrapolation over folded two-qubit gates.

    Attributes:
        scales: Odd noise scale factors that start with 1.
        factory: The extrapolation: "linear", "richardson", "quadratic", or "exp", which decays
            towards `asymptote`.
        asymptote: The value at infinite noise that "exp" takes for every observable.
    """

    name = "zne"
    rank = 2
    scales: tuple[int, ...] = (1, 3, 5)
    factory: str = "linear"
    asymptote: float = 0.0

    def __post_init__(self) -> None:
        self._odd_scales()
        self._one_of("factory", FACTORIES)
        needed = 3 if self.factory == "quadratic" else 2
        if len(self.scales) < needed:
            raise MitigationError(
                f"{self.factory} extrapolation needs at least {needed} distinct scale factors, "
                f"not {self.scales}"
            )
        if not _is_real(self.asymptote):
            self._refuse("asymptote", "it must be a number")
        if self.asymptote != 0 and self.factory != "exp":
            self._refuse("asymptote", f"factory={self.factory} has no asymptote, only exp has")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return (
            f"two-qubit gates folded to noise factors {_written(self.scales)} and extrapolated to "
            f"zero ({self.factory})"
        )


@dataclass(frozen=True)
class LearnedZne(Step):
    """Zero-noise extrapolation by a small network trained on near-Clifford circuits.

    Attributes:
        scales: Odd noise scale factors that start with 1.
        circuits: Training circuits, a quarter of them held out.
        keep: Probability that a training circuit keeps an angle of the circuit itself.
        hidden: Width of the network.
    """

    name = "learned-zne"
    rank = 2
    scales: tuple[int, ...] = (1, 3, 5)
    circuits: int = 48
    keep: float = 0.5
    hidden: int = 8

    def __post_init__(self) -> None:
        self._odd_scales()
        if len(self.scales) < 2:
            self._refuse("scales", "an extrapolation needs at least 2")
        self._whole("circuits", 8)
        self._fraction("keep")
        self._whole("hidden", 1, 256)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return (
            f"two-qubit gates folded to noise factors {_written(self.scales)} and extrapolated to "
            f"zero by a network trained on {self.circuits} near-Clifford circuits"
        )


@dataclass(frozen=True)
class Cdr(Step):
    """Clifford data regression: a linear map learned on near-Clifford circuits.

    Attributes:
        circuits: Number of training circuits.
        keep: Probability that a training circuit keeps an angle of the circuit itself.
    """

    name = "cdr"
    rank = 2
    circuits: int = 24
    keep: float = 0.25

    def __post_init__(self) -> None:
        self._whole("circuits", 3)
        self._fraction("keep")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"values corrected by a line fitted on {self.circuits} near-Clifford circuits"


@dataclass(frozen=True)
class Pec(Step):
    """Probabilistic error cancellation with the calibrated or stated noise.

    Attributes:
        samples: Number of random circuits with at least one inserted Pauli.
        max_overhead: Refused when γ², the factor on the executions, is above it.
    """

    name = "pec"
    rank = 2
    samples: int = 200
    max_overhead: float = 100.0

    def __post_init__(self) -> None:
        self._whole("samples", 2)
        if not _is_real(self.max_overhead) or self.max_overhead < 1:
            self._refuse("max_overhead", "it must be a number of at least 1")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"gate noise cancelled by random signed Paulis in up to {self.samples} circuits"


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return f"{value!r}" if isinstance(value, float) else str(value)


def _is_real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
