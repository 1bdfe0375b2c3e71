"""Instructions that are defined only once their parameters have values, and resets of |0⟩.

The feature vectors of Qiskit Machine Learning are such: amplitudes that ``initialize`` loads as
soon as they are numbers. A circuit with one is bound row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp, ParameterExpression
from qiskit.exceptions import QiskitError
from qiskit.primitives import DataBin, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

_LOADS = ("initialize", "ParameterizedInitialize")


def is_late(operation: Any) -> bool:
    """Whether an instruction has parameters without values and can't be defined before."""
    if isinstance(operation, ControlFlowOp):
        return False
    given = getattr(operation, "params", ())
    if not any(isinstance(value, ParameterExpression) and value.parameters for value in given):
        return False
    try:
        return getattr(operation, "definition", None) is None and not hasattr(operation, "base_op")
    except (QiskitError, TypeError):
        return True


def needs_values(circuit: QuantumCircuit, known: tuple[type, ...] = ()) -> bool:
    """Whether some instruction of the circuit is defined only once it has values.

    Args:
        circuit: Any circuit.
        known: Classes of instructions that what runs the circuit knows without their definition.
    """
    return any(
        not item.is_standard_gate()
        and item.name != "delay"
        and not isinstance(item.operation, known)
        and is_late(item.operation)
        for item in circuit.data
    )


def without_idle_resets(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without resets of qubits on which nothing has acted; itself if it has none.

    An ``initialize`` of such qubits becomes its preparation of the state.
    """
    if not any(item.name in ("reset", *_LOADS) for item in circuit.data):
        return circuit
    kept = circuit.copy_empty_like()
    touched: set[Any] = set()
    _append(kept, circuit, circuit.qubits, touched)
    return kept


def by_row(pub: EstimatorPub) -> tuple[list[EstimatorPub], Callable[[Sequence[Any]], PubResult]]:
    """A pub per parameter row, with the circuit bound, and what makes one result of theirs.

    Args:
        pub: A coerced pub whose circuit has an instruction that `needs_values`.
    """
    names = pub.circuit.parameters
    rows = pub.parameter_values.as_array(names).reshape(pub.parameter_values.size, len(names))
    index = np.arange(len(rows)).reshape(pub.parameter_values.shape)
    which, observables = np.broadcast_arrays(index, pub.observables.sparse_observables_array())
    places = [np.flatnonzero(which.ravel() == row) for row in range(len(rows))]
    pubs = [
        EstimatorPub.coerce(
            (
                without_idle_resets(pub.circuit.assign_parameters(row)),
                list(observables.ravel()[place]),
                None,
                pub.precision,
            )
        )
        for row, place in zip(rows, places, strict=True)
    ]

    def merge(results: Sequence[Any]) -> PubResult:
        evs, stds = np.zeros(which.size), np.zeros(which.size)
        for place, result in zip(places, results, strict=True):
            evs[place], stds[place] = result.data.evs, result.data.stds
        data = DataBin(evs=evs.reshape(pub.shape), stds=stds.reshape(pub.shape), shape=pub.shape)
        return PubResult(data, _together([dict(result.metadata) for result in results]))

    return pubs, merge


def _append(
    kept: QuantumCircuit, circuit: QuantumCircuit, qubits: Sequence[Any], touched: set[Any]
) -> None:
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    for item in circuit.data:
        on = [qubits[index[bit]] for bit in item.qubits]
        idle = not touched & set(on)
        if item.name in _LOADS and idle and not is_late(item.operation):
            _append(kept, item.operation.definition, on, touched)
        elif item.name == "reset" and idle:
            continue
        else:
            kept.append(item.operation, on, item.clbits)
            touched.update(on if item.name not in ("barrier", "delay") else ())


def _together(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all rows say alike, and the sums of what they cost."""
    first = parts[0]
    alike = {key: value for key, value in first.items() if all(p.get(key) == value for p in parts)}
    counted = ("circuits", "executions", "calibration_circuits", "calibration_executions")
    sums = {key: sum(p.get(key, 0) for p in parts) for key in counted if key in first}
    return {**alike, **sums}
