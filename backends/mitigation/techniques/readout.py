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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qvlm_qiskit.backends.compilation.compiler import transpiling
from qvlm_qiskit.backends.mitigation.mitigator import (
    Expansion,
    Floats,
    Mitigator,
    answer,
    precision_for,
    replaced,
    shots_asked,
    values,
)
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step, technique
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.pauli_terms import Term, pauli_terms
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import MitigationError

# Width of the circuit, measured qubits, shots per calibration circuit (None: exact values).
_Key = tuple[int, tuple[int, ...], int | None]
# A string of w factors becomes 2^w strings.
MAX_WEIGHT = 12
# Below this contrast the inversion multiplies the statistical error by more than 20.
MIN_CONTRAST = 0.05


@technique(candidates=("readout",))
class Readout(Step):
    """Independent readout errors inverted by rewriting observables.

    Attributes:
        shots: At least this many shots for each of the two calibration circuits.
    """

    name = "readout"
    rank = 1
    corrects = "readout"
    shots: int = 10_000

    def __post_init__(self) -> None:
        self.whole("shots", 1, 10**9)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return "readout errors inverted from two calibration circuits"

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> ReadoutMitigated:
        """`ReadoutMitigated` with these parameters."""
        return ReadoutMitigated(inner, device.target, self.shots)


@dataclass(frozen=True)
class ReadoutCalibration:
    """The readout of a set of qubits: measured ⟨Z_i⟩ = contrast_i·⟨Z_i⟩ + offset_i.

    Attributes:
        contrast: a_i = (⟨Z⟩ after |0⟩ − ⟨Z⟩ after |1⟩)/2 by device qubit.
        offset: b_i = (⟨Z⟩ after |0⟩ + ⟨Z⟩ after |1⟩)/2 by device qubit.
        error_up: Standard error of ⟨Z⟩ after |0⟩ by device qubit.
        error_down: Standard error of ⟨Z⟩ after |1⟩ by device qubit.
        shots: Shots of each of the two calibration circuits; None where they are exact.
    """

    contrast: dict[int, float]
    offset: dict[int, float]
    error_up: dict[int, float]
    error_down: dict[int, float]
    shots: int | None

    def report(self) -> dict[str, Any]:
        """The calibration as JSON-able data."""
        qubits = sorted(self.contrast)
        return {
            "qubits": qubits,
            "contrast": [self.contrast[qubit] for qubit in qubits],
            "offset": [self.offset[qubit] for qubit in qubits],
            "shots": self.shots,
            "executions": 2 * (self.shots or 0) if qubits else 0,
        }

    @classmethod
    def unknown(cls, key: _Key) -> ReadoutCalibration:
        """A readout that is not measured yet, with some offset on every qubit."""
        _, qubits, shots = key
        none = dict.fromkeys(qubits, 0.0)
        return cls(dict.fromkeys(qubits, 1.0), dict.fromkeys(qubits, 0.1), none, none, shots)

    def error(self, qubits: Iterable[int], value: Floats) -> Floats:
        """Standard error of ⟨∏ Z_i⟩ = `value` on `qubits` that the calibration's own causes.

        With u_i and d_i, ⟨Z_i⟩ after |0⟩ and |1⟩, ∂V/∂u_i = −(V + R_i)/(2a_i) and
        ∂V/∂d_i = (V − R_i)/(2a_i), where R_i is the value of the other factors. That is 1 for a
        single factor; for several it is not measured, and the worse of ±1 counts.
        """
        variance = np.zeros(np.shape(value))
        listed = list(qubits)
        for qubit in listed:
            up, down = self.error_up[qubit], self.error_down[qubit]
            rests = (1.0,) if len(listed) == 1 else (1.0, -1.0)
            worst = [((value + r) * up) ** 2 + ((value - r) * down) ** 2 for r in rests]
            variance += np.max(worst, axis=0) / (2 * self.contrast[qubit]) ** 2
        return np.asarray(np.sqrt(variance))


class ReadoutMitigated(Mitigator[Readout]):
    """Inverts the readout error of an inner ISA estimator.

    Two calibration circuits per set of measured qubits, all |0…0⟩ and all X, run on the inner
    estimator before the first pub that needs them, and are remembered. Errors of the X gates count
    as readout errors (SPAM). The rewritten observables need no further circuits; their standard
    errors contain the amplification 1/∏a_i.

    What does not need it asks behind it, see `EstimatorWrapper.raw`.

    Args:
        inner: Runs ISA pubs.
        target: The device, for the native form of X.
        calibration_shots: At least this many shots per calibration circuit; more when a pub asks
            for more.
    """

    def __init__(
        self, inner: BaseEstimatorV2, target: Target, calibration_shots: int = Readout.shots
    ) -> None:
        super().__init__(inner, Readout(calibration_shots))
        self.target = target
        self._calibrations: dict[_Key, ReadoutCalibration] = {}
        # Metadata of calibration runs that no pub's answer has reported yet.
        self._spent: dict[_Key, list[Any]] = {}

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Calibrate what is new, then run the rewritten pubs in one inner job.

        Args:
            pubs: ISA pubs.
            precision: For pubs that name none.

        Raises:
            MitigationError: A readout without information, an observable with too many factors,
                or a pub without precision.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        keys = [self._key(pub) for pub in coerced]
        self._calibrate([key for key in dict.fromkeys(keys) if key not in self._calibrations])
        return super().run(coerced)

    def expand(self, pub: EstimatorPub) -> Expansion:
        """One pub with rewritten observables.

        Before its calibration has run, the pub is what it will be but for the coefficients.
        """
        key = self._key(pub)
        calibration = self._calibrations.get(key) or ReadoutCalibration.unknown(key)
        paid = self._spent.pop(key, [])

        def combine(runs: Sequence[Any], model: Any, spent: Sequence[Any]) -> PubResult:
            metadata = mitigated_metadata(
                [runs[0].metadata], "readout", 1.0, paid, calibration=calibration.report()
            )
            evs, stds = (np.asarray(x, dtype=float) for x in (runs[0].data.evs, runs[0].data.stds))
            own = _calibration_errors(pub, evs, calibration)
            return answer(evs, np.asarray(np.sqrt(stds**2 + own**2)), metadata)

        return Expansion([replaced(pub, _rewritten(pub.observables, calibration))], combine)

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """One call for the calibrations that are not known yet, then the rewritten pubs."""
        known = set(self._calibrations)
        for call in calls:
            if call.raw:
                yield call
                continue
            keys = dict.fromkeys(self._key(pub) for pub in call.pubs)
            circuits = [pub for key in keys if key not in known for pub in self._circuits(key)]
            if circuits:
                yield call.with_pubs(circuits, calibration=True)
            known |= keys.keys()
            yield call.with_pubs([expanded for p in call.pubs for expanded in self.outline(p).pubs])

    @property
    def raw(self) -> BaseEstimatorV2:
        """What it corrects, and not itself."""
        return self.inner

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

    def _key(self, pub: EstimatorPub) -> _Key:
        _check_weights(pub.observables)
        observables = pub.observables.sparse_observables_array().ravel()
        support = sorted({int(qubit) for o in observables for qubit in o.indices})
        asked = shots_asked(pub, "readout")
        shots = None if asked is None else max(self.options.shots, asked)
        return pub.circuit.num_qubits, tuple(support), shots

    def _circuits(self, key: _Key) -> list[EstimatorPub]:
        """The two calibration pubs; none where no qubit is measured."""
        num_qubits, qubits, shots = key
        if not qubits:
            return []
        zero, one = QuantumCircuit(num_qubits), QuantumCircuit(num_qubits)
        for qubit in qubits:
            one.x(qubit)
        if "x" not in self.target.operation_names:
            with transpiling:
                one = PassManager([Optimize1qGatesDecomposition(target=self.target)]).run(one)
        observables = [
            SparseObservable.from_sparse_list([("Z", [qubit], 1.0)], num_qubits) for qubit in qubits
        ]
        precision = precision_for(shots)
        pubs = [(circuit, observables, None, precision) for circuit in (zero, one)]
        return [EstimatorPub.coerce(pub) for pub in pubs]

    def _calibrate(self, keys: Sequence[_Key]) -> None:
        """Run what is new in one inner job, remember it, and keep the metadata of the runs."""
        circuits = {key: self._circuits(key) for key in keys}
        flat = [pub for pubs in circuits.values() for pub in pubs]
        answers = iter(self.inner.run(flat).result() if flat else ())
        for key, pubs in circuits.items():
            own = [next(answers) for _ in pubs]
            self._calibrations[key] = self._calibration(key, own)
            self._spent[key] = [item.metadata for item in own]

    def _calibration(self, key: _Key, answers: Sequence[Any]) -> ReadoutCalibration:
        """The calibration that two runs show.

        Raises:
            MitigationError: A readout without information.
        """
        _, qubits, shots = key
        if not qubits:
            return ReadoutCalibration({}, {}, {}, {}, shots)
        (up, down), errors = values(answers)
        contrast, offset = (up - down) / 2, (up + down) / 2
        for qubit, value in zip(qubits, contrast, strict=True):
            if value < MIN_CONTRAST:
                raise MitigationError(
                    f"the readout of qubit {qubit} hardly depends on its state (contrast "
                    f"{value:.3f}): it can't be inverted; use another layout"
                )
        by_qubit = [
            dict(zip(qubits, found.tolist(), strict=True)) for found in (contrast, offset, *errors)
        ]
        return ReadoutCalibration(by_qubit[0], by_qubit[1], by_qubit[2], by_qubit[3], shots)


def _check_weights(observables: ObservablesArray) -> None:
    """Refuse strings with too many factors before anything is run for them."""
    for observable in observables.sparse_observables_array().ravel():
        weight = max((len(support) for _, support, _ in observable.to_sparse_list()), default=0)
        if weight > MAX_WEIGHT:
            raise MitigationError(
                f"an observable acts on {weight} qubits; readout mitigation by rewriting takes at "
                f"most {MAX_WEIGHT}, since it makes 2^w strings of one"
            )


def _calibration_errors(pub: EstimatorPub, evs: Floats, calibration: ReadoutCalibration) -> Floats:
    """Per value, the error that the calibration's statistics cause; an upper bound for sums."""
    observables = pub.observables.sparse_observables_array(copy=False)
    which = np.broadcast_to(np.arange(observables.size).reshape(observables.shape), evs.shape)
    errors = np.zeros(evs.shape)
    for index, observable in enumerate(observables.ravel()):
        expansion, chosen = pauli_terms(observable), which == index
        for term, coefficient in expansion.items():
            qubits = [qubit for qubit, _ in term]
            if len(expansion) == 1 and coefficient:
                error = calibration.error(qubits, evs[chosen] / coefficient)
            else:
                error = calibration.error(qubits, np.array([1.0, -1.0])).max(keepdims=True)
            errors[chosen] += abs(coefficient) * error
    return errors


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
