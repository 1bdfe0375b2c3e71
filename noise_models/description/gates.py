"""Which instructions a noise description may speak of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from qvlm_qiskit.errors import NoiseModelError

# Changes of frame in software, and waiting: no pulse, so no parametric error.
_FREE = {"rz", "u1", "p", "z", "s", "sdg", "t", "tdg", "id", "delay"}


@lru_cache(maxsize=1)
def standard_gates() -> dict[str, Any]:
    """Qiskit's standard gates and reset by name, with parameters where they have some."""
    # Formulas are read without Qiskit, so that a wrong one is refused in a moment.
    from qiskit.circuit import Gate, Reset
    from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping

    mapping = get_standard_gate_name_mapping()
    return {name: item for name, item in mapping.items() if isinstance(item, Gate | Reset)}


def noisy_instruction(name: str, width: int | None = None) -> Any:
    """The standard gate of that name.

    Raises:
        NoiseModelError: There is none, or it acts on another number of qubits.
    """
    gate = standard_gates().get(name)
    if gate is None:
        raise NoiseModelError(f"unknown noise instruction {name!r}: it is no standard Qiskit gate")
    if width is not None and gate.num_qubits != width:
        raise NoiseModelError(f"{name} acts on {gate.num_qubits} qubits, not on {width}")
    return gate


def physical_gates(basis: Iterable[str], width: int, fixed: bool = False) -> tuple[str, ...]:
    """The gates of a basis that are made by pulses and act on `width` qubits.

    Args:
        basis: Names; what is no standard gate (measure, delay, control flow) is left out.
        width: Number of qubits.
        fixed: Only gates without parameters.
    """
    from qiskit.circuit import Gate

    known = standard_gates()
    return tuple(
        name
        for name in basis
        if name in known
        and isinstance(known[name], Gate)
        and name not in _FREE
        and known[name].num_qubits == width
        and not (fixed and known[name].params)
    )
