"""How easily a block's circuit is simulated: its state, its largest light cone, its Pauli strings.

The criterion: a circuit of n qubits is easy where one of three things takes at most `MOST_NUMBERS`
numbers for a value that is read: its state of :math:`2^n` amplitudes; the state of the largest
light cone of a Pauli string, :math:`2^k` amplitudes of k < n qubits; or the Pauli strings that are
kept when the observable is moved backwards through the circuit and the value is wrong by `ERROR` at
most. The least of them is told. Counted on the circuit with the weights of training and the angles
of one sample, in gates of one and two qubits; what is measured in the middle is deferred.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from qvlm_qiskit.backends.compilation.deferral import deferred_circuit
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.deferral import is_dynamic
from qvlm_qiskit.basics.late_definitions import without_idle_resets
from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.quantum.program.cones import cones_of

GATES = ("rx", "ry", "rz", "h", "s", "sdg", "sx", "x", "y", "z", "cx", "cz")
ERROR = 0.01
"""Sum of the magnitudes of what is cut off: no value can be wrong by more."""
SMALLEST = 1e-8
"""Smaller coefficients are cut off in any case."""
MOST_TERMS = 2**14
"""No more are tried."""
MOST_NUMBERS = 2**30
"""Complex numbers of 8 GiB in single precision."""


def hardness(calls: Sequence[Call]) -> dict[str, Any]:
    """Of the circuit of a model that is widest by its light cones.

    Args:
        calls: What a rehearsal noted; of each circuit the first row is looked at.

    Returns:
        ``qubits``, ``cone`` (qubits), ``terms`` (None beyond `MOST_TERMS`, or where `counts_terms`
        is not), ``counted`` (whether it is), ``numbers``, the least that a value takes, and
        ``easy``: by its "state", its "cones" or its "terms"; "nothing" where that is too much.
    """
    pubs = {id(pub.circuit): pub for call in calls for pub in call.pubs if pub.size}
    found = [_of_pub(pub) for pub in pubs.values()]
    return max(found, key=lambda one: (one["cone"], one["qubits"]))


def _of_pub(pub: EstimatorPub) -> dict[str, Any]:
    circuit, values = pub.circuit, pub.parameter_values
    if circuit.num_parameters:
        rows = values.as_array(circuit.parameters).reshape(-1, circuit.num_parameters)
        circuit = circuit.assign_parameters(rows[0])
    bound = without_idle_resets(circuit)
    if is_dynamic(bound):
        bound, _ = deferred_circuit(bound)
    plain = transpile(bound, basis_gates=list(GATES), optimization_level=1, seed_transpiler=0)
    observables = [
        _pauli_sum(one).apply_layout(None, plain.num_qubits) for one in pub.observables.ravel()
    ]
    cones = [largest_cone(plain, one) for one in observables]
    widest = int(np.argmax(cones))
    terms = kept_terms(plain, observables[widest]) if counts_terms() else None
    return {
        "qubits": plain.num_qubits,
        "cone": cones[widest],
        "terms": terms,
        "counted": counts_terms(),
        **_easiest(plain.num_qubits, cones[widest], terms),
    }


def counts_terms() -> bool:
    """Whether the package that counts Pauli strings is installed."""
    return find_spec("pauli_prop") is not None


def largest_cone(circuit: QuantumCircuit, observable: SparsePauliOp) -> int:
    """Qubits of the largest light cone of a string of an observable."""
    acts = [
        [circuit.find_bit(qubit).index for qubit in item.qubits]
        for item in circuit.data
        if item.name not in ("barrier", "delay")
    ]
    strings = [qubits for _, qubits, _ in observable.to_sparse_list() if qubits]
    return max((len(cone.qubits) for cone in cones_of(acts, strings)), default=0)


def kept_terms(circuit: QuantumCircuit, observable: SparsePauliOp) -> int | None:
    """Pauli strings that are left of an observable behind a circuit, at an error up to `ERROR`.

    The number that may be kept is doubled until what was cut off is small enough.

    Args:
        circuit: Of numbers, in `GATES`.
        observable: With real coefficients.

    Returns:
        How many are kept; None where `MOST_TERMS` are too few.

    Raises:
        MissingDependencyError: pauli-prop is not installed.
    """
    with optional("propagation", "the count of terms", pauli_prop="pauli-prop"):
        from pauli_prop import propagation
    _, rest = propagation.evolve_through_cliffords(circuit)
    rotations = propagation.circuit_to_rotation_gates(rest)
    most = 1 << (len(observable) - 1).bit_length()
    while most <= MOST_TERMS:
        with warnings.catch_warnings():  # it casts coefficients to real ones, and means to
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            moved, lost = propagation.propagate_through_rotation_gates(
                observable, rotations, most, SMALLEST, "h"
            )
        if lost <= ERROR:
            return len(moved)
        most *= 2
    return None


def _pauli_sum(observable: dict[str, float]) -> SparsePauliOp:
    terms = SparseObservable.from_list(list(observable.items())).as_paulis()
    found = SparsePauliOp.from_sparse_observable(terms).simplify(atol=0.0, rtol=0.0)
    return SparsePauliOp(found.paulis, found.coeffs.real)


def _easiest(qubits: int, cone: int, terms: int | None) -> dict[str, Any]:
    ways = {"state": 2**qubits, "cones": 2**cone}
    if terms is not None:
        ways["terms"] = terms
    easy = min(ways, key=ways.__getitem__)  # of equal ones the first
    numbers = ways[easy]
    return {"numbers": numbers, "easy": easy if numbers <= MOST_NUMBERS else "nothing"}
