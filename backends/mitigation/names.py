"""Names of mitigations: how they are read and written, what goes together, what machines offer.

A mitigation is one or more techniques joined by "+", each with parameters in parentheses:
``readout+zne(scales=1,3,5,factory=exp)``. What is not written keeps its default.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from qvlm_qiskit.backends.mitigation.step import Step, parameter_kind
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.basics.terms import NamedTerm
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.mitigations import TECHNIQUES, mitigation_terms

MITIGATIONS = tuple(TECHNIQUES.names())
"""Names of all techniques that are installed."""


def technique_class(name: str) -> type[Step]:
    """The technique of a name.

    Raises:
        UnknownNameError: There is none.
        RegistryError: Another distribution's can't be loaded, or is no technique of this name.
    """
    found = TECHNIQUES.load(name)
    if not (isinstance(found, type) and issubclass(found, Step) and found.name == name):
        raise RegistryError(
            f"the mitigation {name!r} leads to {found!r}; it has to lead to a Step with "
            f"name = {name!r} under the decorator technique"
        )
    return found


@lru_cache(maxsize=256)
def parse_mitigation(text: str) -> tuple[Step, ...]:
    """Read "readout+zne(scales=1,3,5)" into its steps, from the device outwards.

    Raises:
        MitigationError: An unknown technique or parameter, a value out of range, or techniques
            that don't go together.
    """
    return combined([_step(term, text) for term in mitigation_terms(text)])


def combined(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Sort steps from the device outwards, and refuse what doesn't go together.

    Raises:
        MitigationError: A technique twice, "none" or "auto" with others, two techniques that
            correct the same error, or the Runtime's mitigation together with our own.
    """
    ordered = tuple(sorted(steps, key=lambda step: step.rank))
    if not ordered:
        raise MitigationError("no mitigation is written 'none'")
    names = [step.name for step in ordered]
    joined = "+".join(names)
    if len(set(names)) != len(names):
        raise MitigationError(f"mitigation {joined!r} names a technique twice")
    alone = [step.name for step in ordered if step.alone]
    if alone and len(names) > 1:
        raise MitigationError(f"mitigation {joined!r}: {alone[0]!r} stands alone")
    correcting = [step for step in ordered if step.corrects]
    for error in {step.corrects for step in correcting}:
        same = [step.name for step in correcting if step.corrects == error]
        if len(same) > 1:
            raise MitigationError(
                f"mitigation {joined!r}: {' and '.join(same)} would correct the same error twice"
            )
    levels = [step for step in ordered if step.level is not None]
    if len(levels) > 1:
        raise MitigationError(f"mitigation {joined!r} names two levels of the Runtime")
    if correcting and any(step.level for step in levels):
        raise MitigationError(
            f"mitigation {joined!r}: {levels[0].name} mitigates already, {correcting[0].name} on "
            "top would correct the same error twice"
        )
    return ordered


def mitigation_name(steps: Iterable[Step]) -> str:
    """The name that `parse_mitigation` reads the steps from."""
    return "+".join(str(step) for step in steps)


@dataclass(frozen=True)
class Offer:
    """What the machines of a family offer.

    Attributes:
        mitigations: The techniques, and combinations of them that are worth a line.
        candidates: What "auto" compares when it isn't told which.
        reasons: Why they don't offer some of the other techniques.
    """

    mitigations: tuple[str, ...]
    candidates: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)


def offered(family: str) -> Offer:
    """What the machines of a family offer, in the order of `MITIGATIONS`.

    A technique of another distribution that can't be loaded is left out; the reasons have why.

    Args:
        family: One of `step.FAMILIES`.
    """
    mitigations: list[str] = []
    candidates: list[str] = []
    reasons = {}
    for name in TECHNIQUES.names():
        try:
            places = technique_class(name).places
        except RegistryError as ex:
            reasons[name] = str(ex)
            continue
        if family in places.on:
            mitigations += [name, *places.also]
            if family in places.candidates_on:
                candidates += places.candidates
        elif family in places.reasons:
            reasons[name] = places.reasons[family]
    return Offer(tuple(mitigations), tuple(candidates), reasons)


@lru_cache(maxsize=32)
def done_by_runtime(options: frozenset[str]) -> tuple[str, ...]:
    """Names of the techniques that some options of the Runtime client are, its level apart.

    Args:
        options: Keys of `Step.runtime_options`.
    """
    names = []
    for name in offered("ibm").mitigations:
        for step in parse_mitigation(name):
            needs = step.runtime_options().keys()
            if needs and step.level is None and needs <= options:
                names.append(step.name)
    return tuple(dict.fromkeys(names))


def _step(term: NamedTerm, text: str) -> Step:
    technique = technique_class(term.name)
    given: dict[str, list[str]] = {}
    for argument in term.arguments or ():
        if argument.name is not None:
            if argument.name in given:
                raise MitigationError(f"mitigation {text!r} gives {argument.name} twice")
            given[argument.name] = [argument.value]
        elif given:
            given[next(reversed(given))].append(argument.value)
        else:
            raise MitigationError(f"mitigation {text!r}: parameters are written name=value")
    known = {parameter.name: parameter for parameter in fields(technique)}
    for name in given:
        if name not in known:
            _refuse_parameter(technique, name)
    return technique(**{name: _read(technique, known[name], v) for name, v in given.items()})


def _refuse_parameter(technique: type[Step], name: str) -> None:
    known = [parameter.name for parameter in fields(technique)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    takes = f"it takes: {', '.join(known)}" if known else "it takes none"
    raise MitigationError(f"{technique.name} has no parameter {name!r}{hint} ({takes})")


def _read(technique: type[Step], parameter: Any, values: list[str]) -> Any:
    kind, several = parameter_kind(parameter)
    if not several and len(values) != 1:
        raise MitigationError(f"{technique.name}: {parameter.name} takes one value, not {values}")
    try:
        read = [kind(value) for value in values]
    except ValueError as ex:
        what = {int: "a whole number", float: "a number"}[kind]
        raise MitigationError(
            f"{technique.name}: {parameter.name} is {','.join(values)!r}; it must be {what}"
        ) from ex
    return tuple(read) if several else read[0]
