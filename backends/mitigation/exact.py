"""Exact expectation values of calibration circuits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import Clifford, SparsePauliOp, StabilizerState

from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.backends.pubs.active_qubits import (
    active_qubits,
    restrict_circuit,
    restrict_observables,
)
from qvlm_qiskit.errors import MissingDependencyError, MitigationError

Floats = NDArray[np.float64]
# 16 MiB of amplitudes per circuit.
MAX_STATEVECTOR_QUBITS = 20


def exact_values(
    template: AngleTemplate, angles: Floats, observables: ObservablesArray, technique: str
) -> Floats:
    """⟨O⟩ of the template's circuits without noise.

    Up to `MAX_STATEVECTOR_QUBITS` active qubits with this package's engine, beyond as stabilizer
    states, which takes angles that are multiples of π/2.

    Args:
        template: The circuit.
        angles: (C, K) angles in radians.
        observables: O observables on the circuit's qubits, of shape (O,).
        technique: Who asks, for the message.

    Returns:
        (O, C) values.

    Raises:
        MitigationError: Too many qubits for a statevector and angles that are not Clifford.
    """
    qubits = active_qubits(template.circuit, observables)
    circuit = restrict_circuit(template.circuit, qubits)
    reduced = restrict_observables(observables, qubits)
    if len(qubits) <= MAX_STATEVECTOR_QUBITS:
        pub = (circuit, reduced.reshape((-1, 1)), template.bindings(angles))
        return np.asarray(_engine().run([pub]).result()[0].data.evs, dtype=float)
    if not is_clifford(angles).all():
        raise MitigationError(
            f"{technique}: calibration circuits of {len(qubits)} qubits are simulated up to "
            f"{MAX_STATEVECTOR_QUBITS} qubits only, unless they are Clifford: set keep=0"
        )
    operators = [
        SparsePauliOp.from_sparse_observable(observable.as_paulis())
        for observable in reduced.sparse_observables_array()
    ]
    found = np.empty((len(operators), len(angles)))
    for column, row in enumerate(angles):
        bound = circuit.assign_parameters(np.round(row / (np.pi / 2)) * (np.pi / 2))
        bound.data = [item for item in bound.data if item.name not in ("barrier", "delay")]
        state = StabilizerState(Clifford(bound))
        found[:, column] = [np.real(state.expectation_value(o)) for o in operators]
    return found


def is_clifford(angles: Floats) -> NDArray[np.bool_]:
    """Which angles are multiples of π/2."""
    quarter = angles / (np.pi / 2)
    return np.asarray(np.abs(quarter - np.round(quarter)) < 1e-9)


def _engine() -> Any:
    # Only here: opening a backend needs no torch.
    try:
        from qvlm_qiskit.quantum import TorchEstimator
    except ImportError as ex:
        raise MissingDependencyError("torch", "all", "exact values of circuits") from ex
    return TorchEstimator(dtype="complex128")
