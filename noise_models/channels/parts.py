"""What of a description is of which kind of error, entry by entry.

| kind | what is of it |
|---|---|
| readout | what qubits are read as, and readout sources |
| one-qubit, two-qubit | of a gate of this width: the depolarisation that its stated error leaves |
|  | beside relaxation, learned rates, its own channel; depolarizing and over-rotation sources |
| relaxation | T1 and T2 during gates and delays; thermal relaxation and damping sources |
| crosstalk | crosstalk sources |

Behind every gate the channels of the kinds, one after the other, are the whole channel, unless a
source of one kind stands before one of another that it does not commute with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from qvlm_qiskit.noise_models.channels.matrices import depolarisation
from qvlm_qiskit.noise_models.description.channel_matrix import is_identity
from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise
from qvlm_qiskit.noise_models.description.gates import noisy_instruction
from qvlm_qiskit.noise_models.description.kinds import KINDS
from qvlm_qiskit.noise_models.description.protocol import NoiseDescription
from qvlm_qiskit.noise_models.description.sources import (
    AmplitudeDamping,
    Depolarizing,
    NoiseSource,
    OverRotation,
    PhaseDamping,
    ReadoutError,
    ThermalRelaxation,
    is_silent,
)

RELAXING = (ThermalRelaxation, AmplitudeDamping, PhaseDamping)
WIDTHS = {1: "one-qubit", 2: "two-qubit"}
"""Kinds of gates; wider ones count to the second."""


def kinds_of(spec: NoiseDescription) -> tuple[str, ...]:
    """The kinds of error that a description has, in their order."""
    found = {kind for source in spec.sources if not is_silent(source) for kind in _kinds(source)}
    for qubit in spec.qubits:
        if qubit.p_meas1_prep0 or qubit.p_meas0_prep1:
            found.add("readout")
        if qubit.t1_us is not None or qubit.t2_us is not None:
            found.add("relaxation")
    for gate in spec.gates:
        kind = _width(gate.width)
        if kind not in found and _own_error(gate, [spec.qubits[q] for q in gate.qubits]):
            found.add(kind)
    return tuple(kind for kind in KINDS if kind in found)


def qubit_part(qubit: QubitNoise, kinds: Collection[str]) -> QubitNoise:
    """A qubit's entry without relaxation or without readout errors."""
    if "relaxation" not in kinds:
        qubit = replace(qubit, t1_us=None, t2_us=None)
    return qubit if "readout" in kinds else replace(qubit, p_meas1_prep0=0.0, p_meas0_prep1=0.0)


def gate_part(gate: GateNoise, qubits: Sequence[QubitNoise], kinds: Collection[str]) -> GateNoise:
    """A gate's entry without what its width does, or without relaxation.

    Without relaxation the stated error is that of the depolarisation alone, which stays as it was.

    Args:
        gate: The entry, already scaled.
        qubits: Those of its operands with all their errors, likewise.
        kinds: What is kept.
    """
    if _width(gate.width) not in kinds:
        return replace(gate, error=0.0, rates=(), channel=())
    if "relaxation" in kinds or not gate.qubits:
        return gate
    dim = 2.0**gate.width
    return replace(gate, error=depolarisation(gate, qubits) * (dim - 1) / dim)


def source_parts(sources: Iterable[NoiseSource], kinds: Collection[str]) -> tuple[NoiseSource, ...]:
    """Sources of some kinds; one that acts on gates of both widths keeps some of its gates."""
    kept: list[NoiseSource] = []
    for source in sources:
        if isinstance(source, Depolarizing | OverRotation):
            gates = tuple(name for name in source.gates if _gate_kind(name) in kinds)
            if gates or not source.gates:
                kept.append(replace(source, gates=gates))
        elif _kinds(source) <= set(kinds):
            kept.append(source)
    return tuple(kept)


def _kinds(source: NoiseSource) -> set[str]:
    if isinstance(source, ReadoutError):
        return {"readout"}
    if isinstance(source, RELAXING):
        return {"relaxation"}
    if isinstance(source, Depolarizing | OverRotation):
        return {_gate_kind(name) for name in source.gates}
    return {"crosstalk"}


def _own_error(gate: GateNoise, qubits: Sequence[QubitNoise]) -> bool:
    """Whether a gate errs beside the relaxation of its qubits."""
    if any(rate for _, rate in gate.rates) or not is_identity(gate.channel):
        return True
    return depolarisation(gate, qubits) > 0 if gate.qubits else gate.error > 0


def _gate_kind(name: str) -> str:
    return _width(noisy_instruction(name).num_qubits)


def _width(width: int) -> str:
    return WIDTHS.get(width, "two-qubit")
