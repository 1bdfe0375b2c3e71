"""What differs between two noise descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from qvlm_qiskit.noise_models.description.entries import GateNoise
from qvlm_qiskit.noise_models.description.sources import NoiseSource
from qvlm_qiskit.noise_models.description.spec import NoiseSpec

_QUBIT = {"t1_us": "µs", "t2_us": "µs", "p_meas1_prep0": "", "p_meas0_prep1": ""}
_GATE = {"error": "", "duration_ns": "ns"}
# Units of time go through factors of 1000 when calibrations are read.
_SAME = 1e-9


@dataclass(frozen=True)
class Difference:
    """One number, or one entry, that is not the same in two descriptions.

    Attributes:
        where: "qubit 5", "cz (0, 1)", "source 2 (readout)", "device", …; physical qubits.
        quantity: What differs ("t1_us"), "present" where a whole entry is in one of them only.
        unit: Its unit, "" for probabilities and names.
        first: The value in the first description, None where it has none.
        second: The value in the second one.
    """

    where: str
    quantity: str
    unit: str
    first: Any
    second: Any

    @property
    def change(self) -> float | None:
        """second/first − 1 where both are numbers and the first is not 0."""
        numbers = all(type(v) in (int, float) for v in (self.first, self.second))
        return self.second / self.first - 1 if numbers and self.first else None


def diff(a: NoiseSpec, b: NoiseSpec) -> list[Difference]:
    """What differs between two descriptions, in the order device, qubits, gates, sources.

    Qubits and placed gates are matched by their physical qubits, gates without place by name,
    sources by their position. Numbers within a relative 1e-9 count as equal; names of the
    descriptions don't count.
    """
    return [*_device(a, b), *_qubits(a, b), *_gates(a, b), *_sources(a, b)]


def _device(a: NoiseSpec, b: NoiseSpec) -> Iterator[Difference]:
    for quantity in ("device", "calibrated_utc"):
        first, second = (getattr(spec.snapshot, quantity, None) for spec in (a, b))
        if first != second:
            yield Difference("snapshot", quantity, "", first, second)
    versions = [{} if s.snapshot is None else dict(s.snapshot.versions) for s in (a, b)]
    for package in sorted({*versions[0], *versions[1]}):
        first, second = (found.get(package) for found in versions)
        if first != second:
            yield Difference("snapshot", f"version of {package}", "", first, second)
    if set(a.basis_gates) != set(b.basis_gates):
        shown = (", ".join(sorted(spec.basis_gates)) for spec in (a, b))
        yield Difference("device", "basis_gates", "", *shown)


def _qubits(a: NoiseSpec, b: NoiseSpec) -> Iterator[Difference]:
    first, second = (dict(zip(_physical(s), s.qubits, strict=True)) for s in (a, b))
    for qubit in sorted({*first, *second}):
        yield from _fields(f"qubit {qubit}", _QUBIT, first.get(qubit), second.get(qubit))


def _gates(a: NoiseSpec, b: NoiseSpec) -> Iterator[Difference]:
    first, second = ({_place(s, gate): gate for gate in s.gates} for s in (a, b))
    for key in sorted({*first, *second}):
        name, qubits = key
        where = f"{name} {qubits}" if qubits else f"{name} anywhere"
        yield from _fields(where, _GATE, first.get(key), second.get(key))
        yield from _rates(where, first.get(key), second.get(key))
        yield from _channel(where, first.get(key), second.get(key))


def _rates(where: str, first: GateNoise | None, second: GateNoise | None) -> Iterator[Difference]:
    if first is None or second is None:
        return
    rates = dict(first.rates), dict(second.rates)
    for pauli in sorted({*rates[0], *rates[1]}):
        one, other = (found.get(pauli, 0.0) for found in rates)
        if not _same(one, other):
            yield Difference(where, f"rate of {pauli}", "", one, other)


def _channel(where: str, first: GateNoise | None, second: GateNoise | None) -> Iterator[Difference]:
    """The entry of a gate's own channel that differs most."""
    if first is None or second is None or first.channel == second.channel:
        return
    size = 4**first.width
    one, other = (np.array(gate.channel or np.eye(size)) for gate in (first, second))
    if one.shape != other.shape or np.allclose(one, other, rtol=_SAME, atol=_SAME):
        return
    row, column = np.unravel_index(int(np.abs(one - other).argmax()), one.shape)
    name = f"channel entry {_pauli(int(row), first.width)}, {_pauli(int(column), first.width)}"
    yield Difference(where, name, "", float(one[row, column]), float(other[row, column]))


def _pauli(index: int, width: int) -> str:
    """A Pauli's letters, the first operand's first."""
    return "".join("IXYZ"[index // 4**operand % 4] for operand in range(width))


def _sources(a: NoiseSpec, b: NoiseSpec) -> Iterator[Difference]:
    for index in range(max(len(a.sources), len(b.sources))):
        first, second = (_at(spec.sources, index) for spec in (a, b))
        if first is None or second is None or first.kind != second.kind:
            kinds = (None if s is None else s.kind for s in (first, second))
            yield Difference(f"source {index + 1}", "kind", "", *kinds)
            continue
        where = f"source {index + 1} ({first.kind})"
        gates = [", ".join(getattr(source, "gates", ())) for source in (first, second)]
        if gates[0] != gates[1]:
            yield Difference(where, "gates", "", *gates)
        yield from _fields(where, dict(first.units), first, second)


def _fields(where: str, units: dict[str, str], first: Any, second: Any) -> Iterator[Difference]:
    if first is None or second is None:
        yield Difference(where, "present", "", first is not None, second is not None)
        return
    for name, unit in units.items():
        one, other = getattr(first, name), getattr(second, name)
        if not _same(one, other):
            yield Difference(where, name, unit, one, other)


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _SAME * max(abs(one), abs(other))


def _physical(spec: NoiseSpec) -> tuple[int, ...]:
    return spec.physical_qubits or tuple(range(len(spec.qubits)))


def _place(spec: NoiseSpec, gate: GateNoise) -> tuple[str, tuple[int, ...]]:
    physical = _physical(spec)
    return gate.name, tuple(physical[qubit] for qubit in gate.qubits)


def _at(sources: tuple[NoiseSource, ...], index: int) -> NoiseSource | None:
    return sources[index] if index < len(sources) else None
