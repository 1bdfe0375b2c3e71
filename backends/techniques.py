"""Mitigation techniques by name: their parameters, how names are written, and what combines.

A mitigation is one or more techniques joined by "+", each with parameters in parentheses:
``readout+zne(scales=1,3,5,factory=exp)``. What is not written keeps its default.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

from qvlm_qiskit.errors import MitigationError, UnknownNameError

FACTORIES = ("linear", "richardson", "quadratic", "exp")
SEQUENCES = ("XX", "XpXm", "XY4")
MAX_CIRCUITS = 100_000


@dataclass(frozen=True)
class Step:
    """A technique with its parameters; subclasses are the known ones.

    `str()` gives the name that `parse_mitigation` reads back.
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


@dataclass(frozen=True)
class Resilience0(Step):
    """The Runtime's level 0: nothing is mitigated."""

    name = "resilience-0"


@dataclass(frozen=True)
class Resilience1(Step):
    """The Runtime's level 1: readout mitigation (TREX)."""

    name = "resilience-1"


@dataclass(frozen=True)
class Resilience2(Step):
    """The Runtime's level 2: TREX, gate twirling and zero-noise extrapolation."""

    name = "resilience-2"


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


@dataclass(frozen=True)
class Auto(Step):
    """The technique that is best on calibration circuits, within a budget.

    Attributes:
        budget: Executions that choosing may take, per circuit and set of observables.
        circuits: Calibration circuits: near-Clifford versions of the circuit that will run.
        keep: Probability that a calibration circuit keeps an angle of the circuit itself.
        techniques: Candidates; empty for all that the backend offers.
    """

    name = "auto"
    budget: int = 1_000_000
    circuits: int = 8
    keep: float = 0.75
    techniques: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._whole("budget", 1, 10**15)
        self._whole("circuits", 2)
        self._fraction("keep")
        names = tuple(mitigation_name(parse_mitigation(text)) for text in self.techniques)
        object.__setattr__(self, "techniques", names)
        if len(set(names)) != len(names):
            self._refuse("techniques", "a candidate is named twice")
        if any(isinstance(step, Auto) for text in names for step in parse_mitigation(text)):
            self._refuse("techniques", "auto can't choose itself")


_KNOWN: tuple[type[Step], ...] = (
    Unmitigated, Readout, Zne, LearnedZne, Cdr, Pec, Twirling, Decoupling,
    Resilience0, Resilience1, Resilience2, Auto,
)  # fmt: skip
TECHNIQUES: dict[str, type[Step]] = {cls.name: cls for cls in _KNOWN}
MITIGATIONS = tuple(TECHNIQUES)
"""Names of all techniques."""

# Each of these turns values at the device's noise into values at none: one is enough.
_FINAL = (Zne, LearnedZne, Cdr, Pec)


@lru_cache(maxsize=256)
def parse_mitigation(text: str) -> tuple[Step, ...]:
    """Read "readout+zne(scales=1,3,5)" into its techniques, from the device outwards.

    Raises:
        MitigationError: An unknown technique or parameter, a value out of range, or techniques
            that don't go together.
    """
    steps = [_parse_one(part) for part in _split(text, "+", text)]
    return combined(steps)


def combined(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Sort techniques from the device outwards, and refuse what doesn't go together.

    Raises:
        MitigationError: A technique twice, "none" or "auto" with others, two techniques that
            each extrapolate to zero noise, or the Runtime's mitigation together with our own.
    """
    ordered = tuple(sorted(steps, key=lambda step: step.rank))
    if not ordered:
        raise MitigationError("no mitigation is written 'none'")
    names = [step.name for step in ordered]
    joined = "+".join(names)
    if len(set(names)) != len(names):
        raise MitigationError(f"mitigation {joined!r} names a technique twice")
    alone = [name for name in names if name in ("none", "auto")]
    if alone and len(names) > 1:
        raise MitigationError(f"mitigation {joined!r}: {alone[0]!r} stands alone")
    final = [step.name for step in ordered if isinstance(step, _FINAL)]
    if len(final) > 1:
        raise MitigationError(
            f"mitigation {joined!r}: {' and '.join(final)} would correct the same error twice"
        )
    levels = [step.name for step in ordered if step.name.startswith("resilience-")]
    if len(levels) > 1:
        raise MitigationError(f"mitigation {joined!r} names two levels of the Runtime")
    own = [step.name for step in ordered if isinstance(step, (*_FINAL, Readout))]
    if levels and levels[0] != "resilience-0" and own:
        raise MitigationError(
            f"mitigation {joined!r}: {levels[0]} mitigates already, {own[0]} on top would correct "
            "the same error twice"
        )
    return ordered


def mitigation_name(steps: Iterable[Step]) -> str:
    """The name that `parse_mitigation` reads the techniques from."""
    return "+".join(str(step) for step in steps)


def _parse_one(text: str) -> Step:
    name, bracket, rest = text.partition("(")
    name = name.strip()
    if name not in TECHNIQUES:
        unknown = UnknownNameError("mitigation", name, MITIGATIONS)
        raise MitigationError(str(unknown)) from unknown
    if bracket and not rest.rstrip().endswith(")"):
        raise MitigationError(f"mitigation {text!r} has an open parenthesis")
    technique = TECHNIQUES[name]
    arguments: dict[str, list[str]] = {}
    inside = rest.rstrip()[:-1]
    for part in _split(inside, ",", text) if inside.strip() else ():
        key, equals, value = part.partition("=")
        if equals and "(" not in key:
            if key.strip() in arguments:
                raise MitigationError(f"mitigation {text!r} gives {key.strip()} twice")
            arguments[key.strip()] = [value.strip()]
        elif arguments:
            arguments[next(reversed(arguments))].append(part.strip())
        else:
            raise MitigationError(f"mitigation {text!r}: parameters are written name=value")
    known = {field.name: field for field in fields(technique)}
    for key in arguments:
        if key not in known:
            _refuse_parameter(technique, key)
    return technique(
        **{key: _read(technique, known[key], values) for key, values in arguments.items()}
    )


def _refuse_parameter(technique: type[Step], key: str) -> None:
    known = [field.name for field in fields(technique)]
    near = difflib.get_close_matches(key, known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    takes = f"it takes: {', '.join(known)}" if known else "it takes none"
    raise MitigationError(f"{technique.name} has no parameter {key!r}{hint} ({takes})")


def _read(technique: type[Step], field: Any, values: list[str]) -> Any:
    kind = type(field.default)
    if kind is not tuple and len(values) != 1:
        raise MitigationError(f"{technique.name}: {field.name} takes one value, not {values}")
    item = str if field.type == "tuple[str, ...]" else int if kind is tuple else kind
    try:
        read = [item(value) for value in values]
    except ValueError as ex:
        what = {int: "a whole number", float: "a number"}[item]
        wrong = ",".join(values)
        raise MitigationError(
            f"{technique.name}: {field.name} is {wrong!r}; it must be {what}"
        ) from ex
    return tuple(read) if kind is tuple else read[0]


def _split(text: str, separator: str, whole: str) -> Iterator[str]:
    """Split at a separator outside of parentheses."""
    depth, start = 0, 0
    for index, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == separator and depth == 0:
            yield text[start:index]
            start = index + 1
    if depth:
        raise MitigationError(f"mitigation {whole!r} has unbalanced parentheses")
    yield text[start:]


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return f"{value!r}" if isinstance(value, float) else str(value)


def _is_real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
