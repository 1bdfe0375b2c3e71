"""`Folded`: rzz gates of any angle in front of a machine that has them from 0 to π/2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.compilation.frames import LegalCircuit
from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.caches import LruCache

_known: LruCache[str, tuple[AngleTemplate, LegalCircuit]] = LruCache(256)


class Folded(EstimatorWrapper):
    """Sends circuits whose rzz angles are in (0, π/2], and the values that make them the same.

    It stands next to the device, so that what is recorded and paid for are the circuits that run,
    and mitigation in front of it may ask for any angle.

    Args:
        inner: Runs ISA pubs.
    """

    def __init__(self, inner: BaseEstimatorV2) -> None:
        self.inner = inner

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> Any:
        """Run the pubs' legal forms as one call.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            CircuitError: Decisions in a circuit's middle.
        """
        return self.inner.run([legal(EstimatorPub.coerce(pub, precision)) for pub in pubs])

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The same calls with the legal forms."""
        for call in calls:
            yield call.with_pubs([legal(pub) for pub in call.pubs])

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """1: the values are the same."""
        return 1.0


def legal(pub: EstimatorPub) -> EstimatorPub:
    """The pub with rzz angles in (0, π/2], and the same values; without rzz it stays as it is.

    Raises:
        CircuitError: Decisions in the circuit's middle.
        MitigationError: An angle that is not a real number for some values.
    """
    if not _folds(pub.circuit):
        return pub
    template, folded = _taken_apart(pub.circuit)
    angles = template.angles(pub.parameter_values)
    rows = folded.values(angles.reshape(pub.parameter_values.size, -1))
    names = tuple(parameter.name for parameter in folded.circuit.parameters)
    shape = pub.parameter_values.shape
    data = {names: rows.reshape(*shape, len(names))} if names else {}
    return EstimatorPub(
        folded.circuit,
        pub.observables,
        BindingsArray(data, shape=shape),
        pub.precision,
        validate=False,
    )


def legal_circuit(circuit: QuantumCircuit) -> QuantumCircuit:
    """A circuit's legal form, for all values of its own parameters."""
    return _taken_apart(circuit)[1].circuit if _folds(circuit) else circuit


def _folds(circuit: QuantumCircuit) -> bool:
    return any(item.name == "rzz" for item in circuit.data)


def _taken_apart(circuit: QuantumCircuit) -> tuple[AngleTemplate, LegalCircuit]:
    def made() -> tuple[AngleTemplate, LegalCircuit]:
        template = AngleTemplate.of(circuit, "a machine with fractional gates")
        angles = list(template.expressions)
        fixed = [not isinstance(angle, ParameterExpression) for angle in angles]
        return template, LegalCircuit(circuit, angles, fixed)

    return _known.get(circuit_digest(circuit), made)
