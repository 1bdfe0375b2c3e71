"""Cut a description down to some qubits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.spec import NoiseSpec


def restricted(spec: NoiseSpec, qubits: Sequence[int]) -> NoiseSpec:
    """The noise of `qubits` alone; entry i of the result describes qubits[i] of `spec`.

    A description of any width stays as it is. Crosstalk with qubits outside gets lost: it belongs
    to the whole device (see `with_crosstalk`).

    Raises:
        NoiseModelError: A qubit that the description doesn't have, or that is named twice.
    """
    if not spec.qubits:
        return spec
    width = len(spec.qubits)
    if len(set(qubits)) != len(qubits) or any(not 0 <= q < width for q in qubits):
        raise NoiseModelError(f"qubits {list(qubits)} must be distinct and below {width}")
    position = {qubit: index for index, qubit in enumerate(qubits)}
    physical = spec.physical_qubits or tuple(range(width))
    return replace(
        spec,
        qubits=tuple(spec.qubits[qubit] for qubit in qubits),
        gates=tuple(
            replace(gate, qubits=tuple(position[qubit] for qubit in gate.qubits))
            for gate in spec.gates
            if set(gate.qubits) <= set(position)
        ),
        physical_qubits=tuple(physical[qubit] for qubit in qubits),
    )
