"""How likely a compiled circuit is to run without any error."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qiskit import QuantumCircuit
from qiskit.transpiler import Target


def states_errors(target: Target) -> bool:
    """True when the target states the error of a placed two-qubit gate."""
    for name in target.operation_names:
        for operands, properties in (target[name] or {}).items():
            if operands is not None and len(operands) == 2 and properties is not None:
                return properties.error is not None
    return False


def log_success(circuit: QuantumCircuit, target: Target, measured: Sequence[int]) -> float:
    """Σ log(1 − ε) over the gates of an ISA circuit and the readout of its `measured` qubits.

    Errors count as independent, and idling as free; the number ranks layouts, it does not predict
    a result.

    Args:
        circuit: A circuit in the target's gates.
        target: The device with its calibration.
        measured: Device qubits that are read out.
    """
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    total = sum(log_keep(target, "measure", (qubit,)) for qubit in measured)
    for item in circuit.data:
        total += log_keep(target, item.name, tuple(index[bit] for bit in item.qubits))
    return total


def log_keep(target: Target, name: str, qubits: tuple[int, ...]) -> float:
    """The log of 1 − ε of one operation; 0 where the target states no error."""
    if name not in target.operation_names:
        return 0.0
    properties = target[name].get(qubits)
    error = properties.error if properties is not None else None
    if not error:
        return 0.0
    return math.log1p(-error) if error < 1 else -math.inf
