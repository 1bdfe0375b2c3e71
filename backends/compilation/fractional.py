"""Devices with gates of any angle beside fixed ones, with and without them."""

from __future__ import annotations

from collections.abc import Callable

from qiskit.primitives import BaseEstimatorV2
from qiskit.transpiler import Target

from qvlm_qiskit.backends.compilation.folded import Folded
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.errors import InputError, MitigationError

FRACTIONAL = ("rx", "rzz")
_TWO_QUBIT = ("cz", "ecr", "cx")
# A target takes seconds to copy on large devices, and its digest too.
_known: LruCache[int, tuple[Target, Target]] = LruCache(8)


Wrapper = Callable[[BaseEstimatorV2], BaseEstimatorV2]


def chosen_gates(name: str, target: Target, options: BackendOptions) -> Target:
    """The device with its gates of any angle where they were asked for, else without them.

    One that has no others keeps them.

    Raises:
        InputError: They were asked for, and it has none.
    """
    names = target.operation_names
    if options.fractional and "rzz" not in names:
        raise InputError(f"{name} has no fractional gates (rzz of any angle): leave out fractional")
    if options.fractional or not any(gate in names for gate in _TWO_QUBIT):
        return target
    return without_fractional_gates(target)


def legal_angles(options: BackendOptions) -> tuple[Wrapper, ...]:
    """What stands next to a device with gates of any angle; nothing where they aren't used."""
    return (Folded,) if options.fractional else ()


def without_fractional_gates(target: Target) -> Target:
    """The device without its gates of any angle; the target itself where it has none.

    Twirling moves Paulis through gates, and extrapolation repeats them: neither can be done to a
    rotation by any angle.

    Raises:
        MitigationError: The device has no two-qubit gate of a fixed angle.
    """
    names = target.operation_names
    if "rzz" not in names or "rz" not in names:
        return target
    if not any(name in names for name in _TWO_QUBIT):
        raise MitigationError(
            "this mitigation needs two-qubit gates of a fixed angle, and the device has rzz only"
        )
    return _known.get(id(target), lambda: (target, _reduced(target)))[1]


def _reduced(target: Target) -> Target:
    reduced = Target(
        description=target.description,
        num_qubits=target.num_qubits,
        dt=target.dt,
        granularity=target.granularity,
        min_length=target.min_length,
        pulse_alignment=target.pulse_alignment,
        acquire_alignment=target.acquire_alignment,
        qubit_properties=target.qubit_properties,
        concurrent_measurements=target.concurrent_measurements,
    )
    for name in target.operation_names:
        if name in FRACTIONAL:
            continue
        operation, placements = target.operation_from_name(name), target[name]
        # control flow is a class, placed everywhere
        placed = placements if placements and None not in placements else None
        reduced.add_instruction(operation, placed, name=name)
    return reduced
