"""A description with some kinds of its errors only, so that each can be looked at by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from qvlm_qiskit.noise_models.channels.parts import gate_part, qubit_part, source_parts
from qvlm_qiskit.noise_models.description.kinds import EVERY, kinds_text
from qvlm_qiskit.noise_models.description.spec import NoiseSpec


def only_kinds(spec: NoiseSpec, kinds: Collection[str]) -> NoiseSpec:
    """The description with some kinds of its errors; gates and qubits stay what they are.

    Args:
        spec: All errors, already scaled: how much of a gate's error is relaxation depends on it.
        kinds: Some of `description.kinds.KINDS`.
    """
    if EVERY <= set(kinds):
        return spec
    return replace(
        spec,
        name=f"{spec.name}, {kinds_text(kinds) or 'no'} errors",
        qubits=tuple(qubit_part(qubit, kinds) for qubit in spec.qubits),
        gates=tuple(
            gate_part(gate, [spec.qubits[q] for q in gate.qubits], kinds) for gate in spec.gates
        ),
        sources=source_parts(spec.sources, kinds),
    )
