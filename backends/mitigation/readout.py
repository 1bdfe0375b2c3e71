"""Readout mitigation by rewriting observables.

With independent readout errors per qubit, a measured ⟨Z_i⟩ is a_i·⟨Z_i⟩ + b_i with
a_i = 1 − p(1|0) − p(0|1) and b_i = p(0|1) − p(1|0). So the true value of a Pauli string is the
measured value of ∏ (P_i − b_i)/a_i, which is again an observable, in the same measurement basis.
This is the tensored-noise inversion of Bravyi et al., Phys. Rev. A 103, 042605 (2021), Sec. II,
for expectation values.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qvlm_qiskit.backends.grouping import Term, pauli_terms
from qvlm_qiskit.backends.job import MappedJob
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.technique import Technique
from qvlm_qiskit.backends.plan import Call
from qvlm_qiskit.backends.shots import precision_of_shots, shots_of_precision
from qvlm_qiskit.errors import MitigationError

CALIBRATION_SHOTS = 10_000
# A string of w factors becomes 2^w strings.
MAX_WEIGHT = 12
# Below this contrast the inversion multiplies the statistical error by more than 20.
MIN_CONTRAST = 0.05


@dataclass(frozen=True)
class ReadoutCalibration:
    """The readout of a set of qubits: measured ⟨Z_i⟩ = contrast_i·⟨Z_i⟩ + offset_i.

    Attributes:
        contrast: a_i = (⟨Z⟩ after |0⟩ − ⟨Z⟩ after |1⟩)/2 by device qubit.
        offset: b_i = (⟨Z⟩ after |0⟩ + ⟨Z⟩ after |1⟩)/2 by device qubit.
        shots: Shots of each of the two calibration circuits.
    """

    contrast: dict[int, float]
    offset: dict[int, float]
    shots: int

    def report(self) -> dict[str, Any]:
        """The calibration as JSON-able data."""
        qubits = sorted(self.contrast)
        return {
            "qubits": qubits,
            "contrast": [self.contrast[qubit] for qubit in qubits],
            "offset": [self.offset[qubit] for qubit in qubits],
            "shots": self.shots,
            "executions": 2 * self.shots,
        }


class ReadoutMitigated(Technique):
    """Inverts the readout error of an inner ISA estimator.

    Two calibration circuits per set of measured qubits, all |0…0⟩ and all X, run on the inner
    estimator before the first pub that needs them, and are remembered. Errors of the X gates count
    as readout errors (SPAM). The rewritten observables need no further circuits; their standard
    errors contain the amplification 1/∏a_i.

    Args:
        inner: Runs ISA pubs.
        target: The device, for the native form of X.
        calibration_shots: At least this many shots per calibration circuit; more when a pub asks
            for more.
    """

    def __init__(
        self, inner: BaseEstimatorV2, target: Target, calibration_shots: int = CALIBRATION_SHOTS
    ) -> None:
        self.inner = inner
        self.target = target
        self.calibration_shots = calibration_shots
        self._calibrations: dict[tuple[int, tuple[int, ...], int], ReadoutCalibration] = {}

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Calibrate what is new and run the rewritten pubs in one inner job.

        Args:
            pubs: ISA pubs.
            precision: For pubs that name none.

        Raises:
            MitigationError: A readout without information, an observable with too many factors,
                or a pub without precision.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        for pub in coerced:
            _check_weights(pub.observables)
        calibrations = [self._calibration(pub) for pub in coerced]
        rewritten = [
            _rewritten_pub(pub, calibration)
            for pub, calibration in zip(coerced, calibrations, strict=True)
        ]

        def report(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            answers = [
                PubResult(
                    answer.data,
                    mitigated_metadata(
                        [answer.metadata], "readout", 1.0, calibration=calibration.report()
                    ),
                )
                for answer, calibration in zip(result, calibrations, strict=True)
            ]
            return PrimitiveResult(answers, metadata=result.metadata)

        return MappedJob(self.inner.run(rewritten), report)

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """One call per calibration that is not known yet, then the rewritten pubs."""
        known = set(self._calibrations)
        for call in calls:
            rewritten = []
            for pub in call.pubs:
                _check_weights(pub.observables)
                key = self._key(pub)
                if key not in known and key[1]:
                    yield call.with_pubs(self._calibration_pubs(*key), calibration=True)
                known.add(key)
                nominal = ReadoutCalibration(
                    dict.fromkeys(key[1], 0.9), dict.fromkeys(key[1], 0.01), key[2]
                )
                rewritten.append(_rewritten_pub(pub, nominal))
            yield call.with_pubs(rewritten)

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """The largest 1/∏(1 − 2ε_i) of its Pauli strings, with the target's readout errors ε_i."""
        gain = 1.0
        for observable in pub.observables.sparse_observables_array().ravel():
            for term in pauli_terms(observable):
                contrast = math.prod(1 - 2 * self._readout_error(qubit) for qubit, _ in term)
                gain = max(gain, math.inf if contrast <= 0 else 1 / contrast)
        return gain

    def _readout_error(self, qubit: int) -> float:
        if "measure" not in self.target.operation_names:
            return 0.0
        properties = self.target["measure"].get((qubit,))
        return float(getattr(properties, "error", None) or 0.0)

    def _key(self, pub: EstimatorPub) -> tuple[int, tuple[int, ...], int]:
        """What a calibration is remembered by: width of the device, measured qubits, shots."""
        observables = pub.observables.sparse_observables_array().ravel()
        support = sorted({int(qubit) for o in observables for qubit in o.indices})
        if pub.precision is None:
            raise MitigationError("readout mitigation needs shots or a precision")
        shots = max(self.calibration_shots, shots_of_precision(pub.precision))
        return pub.circuit.num_qubits, tuple(support), shots

    def _calibration(self, pub: EstimatorPub) -> ReadoutCalibration:
        key = self._key(pub)
        if key not in self._calibrations:
            self._calibrations[key] = self._calibrate(*key)
        return self._calibrations[key]

    def _calibration_pubs(
        self, num_qubits: int, qubits: tuple[int, ...], shots: int
    ) -> list[EstimatorPub]:
        zero, one = QuantumCircuit(num_qubits), QuantumCircuit(num_qubits)
        for qubit in qubits:
            one.x(qubit)
        if "x" not in self.target.operation_names:
            one = PassManager([Optimize1qGatesDecomposition(target=self.target)]).run(one)
        observables = [
            SparseObservable.from_sparse_list([("Z", [qubit], 1.0)], num_qubits) for qubit in qubits
        ]
        precision = precision_of_shots(shots)
        return [EstimatorPub.coerce((c, observables, None, precision)) for c in (zero, one)]

    def _calibrate(
        self, num_qubits: int, qubits: tuple[int, ...], shots: int
    ) -> ReadoutCalibration:
        if not qubits:
            return ReadoutCalibration({}, {}, shots)
        pubs = self._calibration_pubs(num_qubits, qubits, shots)
        up, down = (np.asarray(r.data.evs, dtype=float) for r in self.inner.run(pubs).result())
        contrast, offset = (up - down) / 2, (up + down) / 2
        for qubit, value in zip(qubits, contrast, strict=True):
            if value < MIN_CONTRAST:
                raise MitigationError(
                    f"the readout of qubit {qubit} hardly depends on its state (contrast "
                    f"{value:.3f}): it can't be inverted; use another layout"
                )
        return ReadoutCalibration(
            dict(zip(qubits, contrast.tolist(), strict=True)),
            dict(zip(qubits, offset.tolist(), strict=True)),
            shots,
        )


def _check_weights(observables: ObservablesArray) -> None:
    """Refuse strings with too many factors before anything is run for them."""
    for observable in observables.sparse_observables_array().ravel():
        weight = max((len(support) for _, support, _ in observable.to_sparse_list()), default=0)
        if weight > MAX_WEIGHT:
            raise MitigationError(
                f"an observable acts on {weight} qubits; readout mitigation by rewriting takes at "
                f"most {MAX_WEIGHT}, since it makes 2^w strings of one"
            )


def _rewritten_pub(pub: EstimatorPub, calibration: ReadoutCalibration) -> EstimatorPub:
    return EstimatorPub(
        pub.circuit,
        _rewritten(pub.observables, calibration),
        pub.parameter_values,
        pub.precision,
        validate=False,
    )


def _rewritten(observables: ObservablesArray, calibration: ReadoutCalibration) -> ObservablesArray:
    array = observables.sparse_observables_array(copy=False)
    rewritten = array.copy()
    for where, observable in enumerate(array.ravel()):
        expanded: dict[Term, float] = {}
        for term, coefficient in pauli_terms(observable).items():
            for part, weight in _inverted(term, calibration):
                expanded[part] = expanded.get(part, 0.0) + coefficient * weight
        rewritten.reshape(-1)[where] = SparseObservable.from_sparse_list(
            [
                ("".join(letter for _, letter in term), [qubit for qubit, _ in term], value)
                for term, value in expanded.items()
            ],
            observables.num_qubits,
        )
    return ObservablesArray(rewritten, num_qubits=observables.num_qubits, validate=False)


def _inverted(term: Term, calibration: ReadoutCalibration) -> list[tuple[Term, float]]:
    """∏ (P_i − b_i)/a_i multiplied out."""
    parts = []
    for kept in itertools.product((True, False), repeat=len(term)):
        weight = 1.0
        for keep, (qubit, _) in zip(kept, term, strict=True):
            weight /= calibration.contrast[qubit]
            weight *= 1.0 if keep else -calibration.offset[qubit]
        parts.append((tuple(itertools.compress(term, kept)), weight))
    return parts
