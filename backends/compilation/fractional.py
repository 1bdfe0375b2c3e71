"""Devices with gates of any angle beside fixed ones, and what they are without them."""

from __future__ import annotations

from qiskit.transpiler import Target

from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.errors import MitigationError

FRACTIONAL = ("rx", "rzz")
_TWO_QUBIT = ("cz", "ecr", "cx")
# A target takes seconds to copy on large devices, and its digest too.
_known: LruCache[int, tuple[Target, Target]] = LruCache(8)


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
