"""Opener of Pauli propagation: observables are moved through the circuit, small strings are cut."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import Clifford, SparseObservable, SparsePauliOp
from qiskit.transpiler import Target

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import register
from qvlm_qiskit.backends.compilation.by_options import compiler_for
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.pubs.jobs import FinishedJob
from qvlm_qiskit.backends.table import OWN, UNENTANGLED_QUBITS
from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.errors import BackendError, InputError

GATES = ("rx", "ry", "rz", "rxx", "ryy", "rzz", "h", "s", "sdg", "sx", "x", "y", "z", "cx", "cz")
MAX_TERMS = 10_000
"""Strings that are kept where nothing else is asked for."""
THRESHOLD = 1e-8
"""Smaller coefficients are dropped where nothing else is asked for."""


@register("pauli-propagation")
def open_propagation(name: str, options: BackendOptions) -> Backend:
    """Values without noise, each with a bound on what was cut off.

    Raises:
        MissingDependencyError: The package ``pauli-prop`` is not installed.
    """
    options.only(name, OWN[name].accepted, ("none",))
    _package()
    terms = MAX_TERMS if options.max_terms is None else options.max_terms
    given = options.truncation_threshold
    threshold = THRESHOLD if given is None else given
    cut = {"max_terms": terms, "truncation_threshold": threshold}
    target = Target.from_configuration([*GATES, "delay", "measure"], num_qubits=UNENTANGLED_QUBITS)
    return Backend(
        name=name,
        kind="approximate",
        num_qubits=UNENTANGLED_QUBITS,
        options=options,
        device=PropagatingEstimator(terms, threshold),
        compiler=compiler_for(target, options),
        device_options={"method": "pauli_propagation", **cut},
    )


def _package() -> Any:
    with optional("propagation", "backend 'pauli-propagation'", pauli_prop="pauli-prop"):
        from pauli_prop import propagation
    return propagation


class PropagatingEstimator(BaseEstimatorV2):
    """Moves every observable backwards through the circuit, one row of values at a time.

    Of the strings that this makes, small ones are dropped. No value can be wrong by more than the
    sum of their coefficients' magnitudes, since a string's own value is between -1 and 1: that
    sum is stated for each value, in `metadata["truncation_errors"]`.

    Args:
        max_terms: Strings that are kept after each gate, the largest ones.
        threshold: Strings with smaller coefficients are dropped.
    """

    def __init__(self, max_terms: int, threshold: float) -> None:
        self.max_terms = max_terms
        self.threshold = threshold

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> FinishedJob:
        """Evaluate ISA pubs.

        Raises:
            InputError: A precision: these values are computed, not sampled.
            BackendError: A gate that can't be propagated through.
        """
        coerced = [EstimatorPub.coerce(pub, precision or 0.0) for pub in pubs]
        if any(pub.precision for pub in coerced):
            raise InputError("values of Pauli propagation are not sampled: leave out the precision")
        results = [self._run_pub(pub) for pub in coerced]
        return FinishedJob(PrimitiveResult(results, metadata={"version": 2}))

    def _run_pub(self, pub: EstimatorPub) -> PubResult:
        shape = pub.parameter_values.shape
        rows = np.arange(math.prod(shape)).reshape(shape)
        row_of, observables = np.broadcast_arrays(rows, pub.observables)
        bound = np.broadcast_to(pub.parameter_values.bind_all(pub.circuit), shape).ravel()
        parts = [_Heisenberg(circuit, self.max_terms, self.threshold) for circuit in bound]
        evs, errors = np.zeros(row_of.shape), np.zeros(row_of.shape)
        for place in np.ndindex(*row_of.shape):
            evs[place], errors[place] = parts[row_of[place]](observables[place])
        about = {
            "method": "pauli_propagation",
            "max_terms": self.max_terms,
            "truncation_threshold": self.threshold,
            "truncation_error": float(errors.max(initial=0.0)),
            "truncation_errors": errors.tolist(),
            "target_precision": 0.0,
            "circuit_metadata": pub.circuit.metadata,
        }
        return PubResult(DataBin(evs=evs, stds=np.zeros_like(evs), shape=evs.shape), about)


class _Heisenberg:
    """One circuit: Clifford gates first, then Pauli rotations.

    Raises:
        BackendError: It has another gate.
    """

    def __init__(self, circuit: QuantumCircuit, max_terms: int, threshold: float) -> None:
        self._package = _package()
        self._cut = max_terms, threshold
        plain = circuit.copy_empty_like()
        for item in circuit.data:
            if item.name not in ("barrier", "delay", "id"):
                plain.append(item)
        try:
            first, rest = self._package.evolve_through_cliffords(plain)
            self._rotations = self._package.circuit_to_rotation_gates(rest)
        except ValueError as ex:
            raise BackendError(f"Pauli propagation can't run this circuit: {ex}") from ex
        self._first: Clifford = first

    def __call__(self, observable: Mapping[str, float]) -> tuple[float, float]:
        """A value, and what it can be wrong by."""
        if not observable:
            return 0.0, 0.0
        terms = SparseObservable.from_list(list(observable.items())).as_paulis()
        total = SparsePauliOp.from_sparse_observable(terms).simplify(atol=0.0, rtol=0.0)
        small = np.abs(total.coeffs) <= self._cut[1]
        kept = SparsePauliOp(total.paulis[~small], total.coeffs[~small].real)
        dropped = float(np.abs(total.coeffs[small]).sum())
        if not len(kept.coeffs):
            return 0.0, dropped
        with warnings.catch_warnings():  # it casts coefficients to real ones, and means to
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            moved, lost = self._package.propagate_through_rotation_gates(
                kept, self._rotations, *self._cut, "h"
            )
        strings = moved.paulis.evolve(self._first, frame="h")
        diagonal = ~strings.x.any(axis=1)
        signs = 1.0 - strings.phase[diagonal].astype(float)  # of strings without X: 0 or 2
        return float(signs @ moved.coeffs[diagonal].real), dropped + float(lost)
