"""What a technique of mitigation is: `Step`, a technique with its parameters, and `technique`.

A technique is one file, in the folder ``techniques`` or of another distribution (an entry point in
the group ``qvlm_qiskit.mitigations``): a subclass of `Step` under the decorator `technique`. Its
fields are its parameters, `Step.wrap` puts its estimator around a device's, and the decorator's
arguments say on which machines it works. Names, refusals, the candidates of "auto", help and docs
follow from that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from qvlm_qiskit.basics.numbers import is_real, is_whole, use_plain_numbers
from qvlm_qiskit.errors import InputError, MitigationError, UnknownNameError
from qvlm_qiskit.mitigations import TECHNIQUES

if TYPE_CHECKING:  # names and parameters are read without Qiskit
    from qiskit.primitives import BaseEstimatorV2
    from qiskit.transpiler import Target

    from qvlm_qiskit.noise_models import NoiseSpec

    NoiseOf = Callable[[tuple[int, ...]], NoiseSpec]
    Wrapper = Callable[[BaseEstimatorV2], BaseEstimatorV2]

FAMILIES = ("noisy", "fake", "ibm", "other")
"""Families of machines: "noisy:*", "fake_*", "ibm:*", and any other estimator of ISA pubs."""
# Behind the Runtime client, whose own options some techniques are.
RUNTIME = ("fake", "ibm")
MAX_CIRCUITS = 100_000

KINDS: Mapping[str, type] = {"int": int, "float": float, "str": str}


@dataclass(frozen=True)
class MitigatedDevice:
    """What techniques have to know about a device.

    Attributes:
        target: Its gates.
        noise: Gives the noise of some of its qubits; None where nothing is known about it.
        seed: Of random circuits.
        family: One of `FAMILIES`.
        calibration: When it was calibrated, ISO 8601: what was learned before is learned anew.
    """

    target: Target
    noise: NoiseOf | None = None
    seed: int | None = None
    family: str = "other"
    calibration: str | None = None


@dataclass(frozen=True)
class Places:
    """Where a technique works, and where "auto" tries it; see `technique`."""

    on: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    candidates_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for family in (*self.on, *self.reasons, *self.candidates_on):
            if family not in FAMILIES:
                raise UnknownNameError("family of machines", family, FAMILIES)


@dataclass(frozen=True)
class Step:
    """A technique with its parameters, one step of a mitigation.

    A subclass is a technique. `str()` gives the name that `parse_mitigation` reads back.

    Attributes:
        name: The technique's name.
        rank: Steps are applied from the lowest (next to the device) to the highest.
        corrects: Which error it corrects; two steps that correct the same one don't go together,
            nor does any with a level of the Runtime that mitigates.
        alone: Whether it stands alone.
        over_tiles: Whether it stands in front of what lays rows onto tiles, and not behind it.
        fractional: Whether it takes gates of any angle (rx, rzz) as it takes fixed ones. Circuits
            are compiled without such gates for those that don't.
        level: The Runtime's resilience level that it is; None for other techniques.
        places: Where it works; set by `technique`.
    """

    name: ClassVar[str] = ""
    rank: ClassVar[int] = 2
    corrects: ClassVar[str] = ""
    alone: ClassVar[bool] = False
    over_tiles: ClassVar[bool] = False
    fractional: ClassVar[bool] = True
    level: ClassVar[int | None] = None
    places: ClassVar[Places] = Places()

    def __str__(self) -> str:
        changed = [
            f"{field.name}={written(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return self.name + (f"({','.join(changed)})" if changed else "")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report; by default its class's summary."""
        return self.summary()

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the class's documentation."""
        return (cls.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @property
    def choices(self) -> tuple[str, ...]:
        """Mitigations that it chooses among, as far as it was told which."""
        return ()

    def parameters(self) -> dict[str, Any]:
        """All parameters, the defaults included, JSON-able."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in found.items()}

    def runtime_options(self) -> dict[str, Any]:
        """Options of the Runtime client that are this step; empty where there are none."""
        return {}

    def check_family(self, family: str) -> None:
        """Refuse parameters with which this step can't work on a family of machines.

        Raises:
            MitigationError: It can't.
        """

    def check(self, device: MitigatedDevice) -> None:
        """Refuse a device, or an environment, in which this step can't work.

        Raises:
            MitigationError: The device lacks what it needs.
            MissingDependencyError: A package is not installed.
        """

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> BaseEstimatorV2:
        """An estimator of ISA pubs, usually a `Mitigator`, around the one of the device.

        Args:
            inner: Runs ISA pubs: the device, or the steps of lower rank around it.
            device: What is known about the device.
        """
        raise MitigationError(
            f"{self.name} is an option of the Runtime client; this device is none of its"
        )

    def wrapper(self, device: MitigatedDevice) -> Wrapper | None:
        """`wrap` for this device; None where the Runtime client does this step itself.

        Raises:
            MitigationError: This step can't work there.
            MissingDependencyError: A package is not installed.
        """
        if device.family in RUNTIME and self.runtime_options():
            return None
        self.check(device)
        return lambda inner: self.wrap(inner, device)

    def whole(self, parameter: str, low: int, high: int = MAX_CIRCUITS) -> None:
        """Refuse a parameter that is not a whole number in a range."""
        value = getattr(self, parameter)
        if not is_whole(value) or not low <= value <= high:
            self.refuse(parameter, f"it must be a whole number from {low} to {high:,}")

    def fraction(self, parameter: str) -> None:
        """Refuse a parameter that is not a number from 0 to 1."""
        value = getattr(self, parameter)
        if not is_real(value) or not 0 <= value <= 1:
            self.refuse(parameter, "it must be a number from 0 to 1")

    def one_of(self, parameter: str, known: Sequence[str]) -> None:
        """Refuse a parameter that is none of some words."""
        value = getattr(self, parameter)
        if value not in known:
            unknown = UnknownNameError(f"{self.name} {parameter}", str(value), known)
            raise MitigationError(str(unknown))

    def refuse(self, parameter: str, rule: str) -> None:
        """Refuse a parameter's value.

        Raises:
            MitigationError: Always, with the value and the rule.
        """
        raise MitigationError(f"{self.name}: {parameter} is {getattr(self, parameter)!r}; {rule}")


Options = TypeVar("Options", bound=Step)


@dataclass_transform(frozen_default=True)
def technique(
    *,
    on: Collection[str] = FAMILIES,
    reasons: Mapping[str, str] | None = None,
    also: Sequence[str] = (),
    candidates: Sequence[str] = (),
    candidates_on: Collection[str] | None = None,
) -> Callable[[type[Options]], type[Options]]:
    """Decorator: make a subclass of `Step` a frozen dataclass, and a technique by its name.

    Args:
        on: Families of machines that offer it.
        reasons: Why another family doesn't.
        also: Combinations with it that these machines list beside it.
        candidates: Mitigations with it that "auto" tries.
        candidates_on: Families on which it does; all that offer it when not given.

    Raises:
        InputError: The name is taken, a parameter can't be written in a mitigation's name, or a
            family is unknown.
    """
    tried = on if candidates_on is None else candidates_on
    places = Places(tuple(on), dict(reasons or {}), tuple(also), tuple(candidates), tuple(tried))

    def enter(cls: type[Options]) -> type[Options]:
        cls.__post_init__ = _on_plain_numbers(cls)  # type: ignore[attr-defined]
        made = dataclass(frozen=True)(cls)
        made.places = places
        for parameter in fields(made):
            parameter_kind(parameter)
        TECHNIQUES.enter(made.name, made)
        return made

    return enter


def _on_plain_numbers(cls: type[Step]) -> Callable[[Any], None]:
    """A technique's checks, which then see Python's own numbers in place of NumPy's."""
    check: Callable[[Any], None] | None = getattr(cls, "__post_init__", None)

    def checked(self: Any) -> None:
        use_plain_numbers(self)
        if check is not None:
            check(self)

    return checked


def parameter_kind(parameter: Any) -> tuple[type, bool]:
    """The type of a parameter's items, and whether it takes several.

    Args:
        parameter: The dataclass field.

    Raises:
        InputError: It is no int, float, str or tuple of these, or has no default.
    """
    text = parameter.type if isinstance(parameter.type, str) else _type_name(parameter.type)
    match = re.fullmatch(r"(int|float|str)|tuple\[(int|float|str), \.\.\.\]", text)
    if match is None or not isinstance(parameter.default, int | float | str | tuple):
        raise InputError(
            f"the parameter {parameter.name!r} of a technique is an int, float, str, or a tuple "
            f"of one of these, and has a default; it is {text}"
        )
    return KINDS[match[1] or match[2]], match[2] is not None


def _type_name(kind: Any) -> str:
    return kind.__name__ if type(kind) is type else str(kind)


def mitigation_wrappers(steps: Sequence[Step], device: MitigatedDevice) -> tuple[Wrapper, ...]:
    """The wrappers, innermost first, of the steps that `parse_mitigation` gives.

    Args:
        steps: Techniques with their parameters.
        device: What they run on.

    Raises:
        MissingDependencyError: "zne" or "learned-zne" without mitiq.
        MitigationError: "pec" where nothing is known about the noise, "twirling" on a device that
            lacks rz, sx or x.
    """
    wrappers = [step.wrapper(device) for step in steps]
    return tuple(wrapper for wrapper in wrappers if wrapper is not None)


def written(value: Any) -> str:
    """A parameter's value as it stands in a mitigation's name."""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return f"{value!r}" if isinstance(value, float) else str(value)
