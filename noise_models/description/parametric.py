"""Noise from a formula instead of a calibration, and its text form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from qvlm_qiskit.basics.numbers import plain_number
from qvlm_qiskit.basics.terms import NamedTerm, TermError, split
from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models.description.gates import physical_gates
from qvlm_qiskit.noise_models.description.sources import (
    AmplitudeDamping,
    Depolarizing,
    NoiseSource,
    OverRotation,
    PhaseDamping,
    ReadoutError,
    ThermalRelaxation,
    ZZCrosstalk,
)
from qvlm_qiskit.noise_models.description.spec import NoiseSpec

BASIS_GATES = ("rz", "sx", "x", "cz")
Basis = Sequence[str]


def depolarizing(p2: float, p1: float | None = None, *, basis: Basis = BASIS_GATES) -> NoiseSpec:
    """Depolarising noise after every physical gate; perfect readout, no relaxation.

    The channel after a gate on d = 2^width levels is ρ → (1 − p)·ρ + p·I/d. `p2` is the p of
    two-qubit gates (cz), `p1` that of sx and x; rz is a change of frame on real devices and stays
    free of noise. The spec counts for any number of qubits.

    Args:
        p2: Depolarising probability of two-qubit gates.
        p1: Depolarising probability of one-qubit gates; p2/10 when not given, as on present
            devices.
        basis: The device's gates.

    Raises:
        NoiseModelError: A value outside [0, 1].
    """
    single = _tenth(p2, p1)
    one = Depolarizing(physical_gates(basis, 1), single)
    return _of(f"depolarizing(p2={p2:g},p1={single:g})", basis, one, Depolarizing(_two(basis), p2))


def amplitude_damping(
    p2: float, p1: float | None = None, *, basis: Basis = BASIS_GATES
) -> NoiseSpec:
    """Decay |1⟩ → |0⟩ with probability p2 on each qubit of a two-qubit gate, p1 after sx and x.

    Arguments as in `depolarizing`.
    """
    single = _tenth(p2, p1)
    one = AmplitudeDamping(physical_gates(basis, 1), single)
    name = f"amplitude_damping(p2={p2:g},p1={single:g})"
    return _of(name, basis, one, AmplitudeDamping(_two(basis), p2))


def phase_damping(p2: float, p1: float | None = None, *, basis: Basis = BASIS_GATES) -> NoiseSpec:
    """Dephasing ρ01 → √(1 − λ)·ρ01, λ = p2 on each qubit of a two-qubit gate, p1 after sx and x.

    Arguments as in `depolarizing`.
    """
    single = _tenth(p2, p1)
    one = PhaseDamping(physical_gates(basis, 1), single)
    name = f"phase_damping(p2={p2:g},p1={single:g})"
    return _of(name, basis, one, PhaseDamping(_two(basis), p2))


def thermal(
    t1_us: float,
    t2_us: float,
    time_1q_ns: float = 36.0,
    time_2q_ns: float = 70.0,
    *,
    basis: Basis = BASIS_GATES,
) -> NoiseSpec:
    """Relaxation and dephasing of the gates' qubits during the gates.

    Args:
        t1_us: T1 of every qubit in µs.
        t2_us: T2 of every qubit in µs, at most 2·T1.
        time_1q_ns: Duration of sx and x in ns; the default is of the size of present devices.
        time_2q_ns: Duration of two-qubit gates in ns, likewise.
        basis: The device's gates.

    Raises:
        NoiseModelError: T2 above 2·T1, or a time that is not positive.
    """
    one = ThermalRelaxation(physical_gates(basis, 1), time_1q_ns, t1_us, t2_us)
    two = ThermalRelaxation(_two(basis), time_2q_ns, t1_us, t2_us)
    name = f"thermal(t1_us={t1_us:g},t2_us={t2_us:g}"
    name += f",time_1q_ns={time_1q_ns:g},time_2q_ns={time_2q_ns:g})"
    return _of(name, basis, one, two)


def readout(
    p_meas1_prep0: float, p_meas0_prep1: float | None = None, *, basis: Basis = BASIS_GATES
) -> NoiseSpec:
    """The same readout error on every qubit; p(0|1) = p(1|0) when it is not given."""
    down = p_meas1_prep0 if p_meas0_prep1 is None else p_meas0_prep1
    name = f"readout(p_meas1_prep0={p_meas1_prep0:g},p_meas0_prep1={down:g})"
    return _of(name, basis, ReadoutError(p_meas1_prep0, down))


def over_rotation(fraction: float, *, basis: Basis = BASIS_GATES) -> NoiseSpec:
    """Every physical gate without parameters turns too far by a fraction of its angle."""
    gates = (*physical_gates(basis, 1, fixed=True), *physical_gates(basis, 2, fixed=True))
    return _of(f"over_rotation(fraction={fraction:g})", basis, OverRotation(gates, fraction))


def zz(angle_rad: float, *, basis: Basis = BASIS_GATES) -> NoiseSpec:
    """Crosstalk exp(−iφ/2·ZZ) between a two-qubit gate's qubits and their other neighbours."""
    return _of(f"zz(angle_rad={angle_rad:g})", basis, ZZCrosstalk(angle_rad))


FAMILIES: dict[str, Callable[..., NoiseSpec]] = {
    maker.__name__: maker
    for maker in (
        depolarizing,
        amplitude_damping,
        phase_damping,
        thermal,
        readout,
        over_rotation,
        zz,
    )
}


def signatures() -> list[str]:
    """The text forms: "depolarizing(p2,p1)" and so on."""
    return [f"{name}({','.join(_arguments(make))})" for name, make in FAMILIES.items()]


def parse_parametric(text: str, basis: Basis = BASIS_GATES) -> NoiseSpec:
    """Read "depolarizing(0.01)", "thermal(t1_us=100,t2_us=80)", or several joined by "+".

    Args:
        text: Families with numbers in the order of their arguments, or by name.
        basis: The gates that the noise is meant for.

    Raises:
        UnknownNameError: Another family.
        NoiseModelError: An unknown or missing argument, one that is no number, or an unphysical
            value.
    """
    parts = [_one(part, basis) for part in split_terms(text)]
    return combined(*parts) if len(parts) > 1 else parts[0]


def check_formula(text: str) -> None:
    """Refuse a formula that `parse_parametric` can't read; its values are not looked at.

    Raises:
        UnknownNameError: Another family.
        NoiseModelError: An unknown or missing argument, or one that is no number.
    """
    for part in split_terms(text):
        _read(part)


def split_terms(text: str) -> list[str]:
    """The terms between the "+" signs that stand outside parentheses."""
    return split(text)


def combined(first: NoiseSpec, *others: NoiseSpec) -> NoiseSpec:
    """A description with the sources of further parametric ones, in order.

    Args:
        first: A calibration, a file's content or a formula.
        others: Formulas.

    Raises:
        NoiseModelError: A second description with qubits of its own.
    """
    for other in others:
        if other.qubits or other.gates:
            raise NoiseModelError(
                f"{other.name} describes qubits of its own; only the first term of a sum may"
            )
    return NoiseSpec(
        name="+".join(spec.name for spec in (first, *others)),
        basis_gates=first.basis_gates,
        qubits=first.qubits,
        gates=first.gates,
        physical_qubits=first.physical_qubits,
        sources=tuple(source for spec in (first, *others) for source in spec.sources),
        snapshot=first.snapshot,
    )


def _one(text: str, basis: Basis) -> NoiseSpec:
    make, given = _read(text)
    return make(**given, basis=basis)


def _read(text: str) -> tuple[Callable[..., NoiseSpec], dict[str, float]]:
    """The family of one term, and its arguments."""
    term = _term(text)
    make = FAMILIES[term.name]
    known = _arguments(make)
    given: dict[str, float] = {}
    for position, item in enumerate(term.arguments or ()):
        name = known[position] if item.name is None and position < len(known) else item.name
        if name not in known or name in given:
            raise NoiseModelError(
                f"{text!r}: {str(item)!r} is none of its arguments {', '.join(known)}"
            )
        try:
            given[name] = float(item.value)
        except ValueError as ex:
            raise NoiseModelError(f"{text!r}: {item.value!r} is no number") from ex
    missing = [name for name in _arguments(make, required=True) if name not in given]
    if missing:
        raise NoiseModelError(f"{text!r}: {', '.join(missing)} is missing")
    return make, given


def _term(text: str) -> NamedTerm:
    """A family's name with arguments in parentheses."""
    try:
        term = NamedTerm.read(text)
    except TermError as ex:
        raise UnknownNameError("noise", text, signatures()) from ex
    if term.name not in FAMILIES or term.arguments is None:
        raise UnknownNameError("noise", text, signatures())
    return term


def _arguments(make: Callable[..., NoiseSpec], required: bool = False) -> list[str]:
    parameters = inspect.signature(make).parameters.values()
    return [
        p.name
        for p in parameters
        if p.kind is p.POSITIONAL_OR_KEYWORD and not (required and p.default is not p.empty)
    ]


def _tenth(p2: float, p1: float | None) -> float:
    """p1, or a tenth of p2; of one that is no probability all, so that it is refused by itself."""
    if p1 is not None:
        return p1
    both = float(plain_number(p2))
    return both / 10 if both >= 0 else both


def _two(basis: Basis) -> tuple[str, ...]:
    return physical_gates(basis, 2)


def _of(name: str, basis: Basis, *sources: NoiseSource) -> NoiseSpec:
    return NoiseSpec(name=name, basis_gates=tuple(basis), sources=sources)
