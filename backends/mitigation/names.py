"""Names of mitigations: how they are read and written, and what goes together.

A mitigation is one or more techniques joined by "+", each with parameters in parentheses:
``readout+zne(scales=1,3,5,factory=exp)``. What is not written keeps its default.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from qvlm_qiskit.backends.mitigation.techniques import (
    Cdr,
    Decoupling,
    LearnedZne,
    Pec,
    Readout,
    Resilience0,
    Resilience1,
    Resilience2,
    Step,
    Twirling,
    Unmitigated,
    Zne,
)
from qvlm_qiskit.errors import MitigationError, UnknownNameError


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

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"mitigated by what did best on {self.circuits} calibration circuits"


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
