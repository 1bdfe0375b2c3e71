"""`Compiled`: the estimator that compiles what it is given for the one that it wraps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, SupportsIndex

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, PrimitiveResult, PubResult
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends.compilation.compiler import Compiler, IsaCircuit, map_observables
from qvlm_qiskit.backends.pubs.empty import asked, with_empty
from qvlm_qiskit.backends.pubs.jobs import FinishedJob, MappedJob
from qvlm_qiskit.backends.pubs.stack import SharedByCopies
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.computer.locks import new_lock
from qvlm_qiskit.basics.late_definitions import by_row, needs_values
from qvlm_qiskit.errors import InputError


class OpenedBackend(Protocol):
    """What `open_backend` returns."""

    def estimator(self) -> BaseEstimatorV2:
        """The whole stack."""
        ...


def _estimator_of(backend: OpenedBackend) -> BaseEstimatorV2:
    return backend.estimator()


class Compiled(SharedByCopies, BaseEstimatorV2):
    """The outermost estimator: takes abstract pubs, gives ISA pubs to the next one.

    One thread at a time compiles and runs; others wait. A pickled one opens its backend again
    where it is loaded, by name and options; what was calibrated is calibrated anew there.

    Args:
        inner: The estimator that runs ISA pubs.
        compiler: Compiles for that estimator's device.
        default_precision: Precision of pubs that name none; None leaves it to `inner`.
    """

    def __init__(
        self, inner: BaseEstimatorV2, compiler: Compiler, default_precision: float | None = None
    ) -> None:
        self.inner = inner
        self.compiler = compiler
        self.default_precision = default_precision
        self.opened_by: OpenedBackend | None = None
        self._lock = new_lock()

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """The backend that this is the estimator of, to be opened again; else all parts."""
        if self.opened_by is None:
            return super().__reduce_ex__(protocol)
        return _estimator_of, (self.opened_by,)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the lock."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """With a lock of its own."""
        self.__dict__.update(state, _lock=new_lock())

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The calls of `inner.run` that these calls of `run` lead to; nothing is run."""
        for call in calls:
            coerced, _ = _bound(call.pubs, self.default_precision)
            sent = [coerced[number] for number in asked(coerced)]
            if sent:
                yield call.with_pubs([_isa_pub(p, self.compiler.isa(p.circuit)) for p in sent])

    def run(
        self, pubs: Iterable[Any], *, precision: float | None = None
    ) -> MappedJob | FinishedJob:
        """Compile what is new, bind, and run on the inner estimator.

        Args:
            pubs: Estimator pubs of any broadcast shape; those of size 0 are compiled only.
            precision: For pubs that name none.

        Raises:
            InputError: Parameter values that are not finite.
        """
        precision = self.default_precision if precision is None else precision
        with self._lock:
            return self._run(pubs, precision)

    def _run(self, pubs: Iterable[Any], precision: float | None) -> MappedJob | FinishedJob:
        coerced, merge = _bound(pubs, precision)
        compiled = [self.compiler.isa(pub.circuit) for pub in coerced]
        isa_pubs = [_isa_pub(coerced[number], compiled[number]) for number in asked(coerced)]

        def annotate(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            complete = with_empty(coerced, result, result.metadata)
            annotated = [
                PubResult(pub_result.data, {**pub_result.metadata, "compiled": isa.report()})
                for pub_result, isa in zip(complete, compiled, strict=True)
            ]
            return PrimitiveResult(merge(annotated), metadata=result.metadata)

        if not isa_pubs:
            return FinishedJob(annotate(PrimitiveResult([], metadata={"version": 2})))
        return MappedJob(self.inner.run(isa_pubs), annotate)

    @property
    def real_dtype(self) -> Any:
        """The real torch dtype that `differentiable`'s engine computes in."""
        return getattr(self.inner, "real_dtype", None)

    def differentiable(
        self,
        circuit: QuantumCircuit,
        observables: Sequence[Any],
        parameters: Sequence[Any],
        num_batched: int,
    ) -> Any | None:
        """Compile, and ask the inner estimator for an engine that autograd differentiates.

        Args:
            circuit: The abstract circuit.
            observables: One `SparsePauliOp` per output, on its qubits.
            parameters: The order of the parameters.
            num_batched: How many leading parameters are given per sample.

        Returns:
            None where the inner estimator's values are not exact.

        Raises:
            CapacityError: The circuit is too large for it.
        """
        make = getattr(self.inner, "differentiable", None)
        if make is None or needs_values(circuit):
            return None
        # compiling a large circuit takes minutes
        self.inner.check_differentiable(circuit, observables)
        isa = self.compiler.isa(circuit)
        mapped = map_observables(ObservablesArray.coerce(list(observables)), circuit, isa)
        array = mapped.sparse_observables_array(copy=False).ravel()
        operators = [SparsePauliOp.from_sparse_observable(observable) for observable in array]
        # an equal circuit that was compiled before has other Parameter objects of the same names
        own = {parameter.name: parameter for parameter in isa.circuit.parameters}
        order = [own.get(parameter.name, parameter) for parameter in parameters]
        return make(isa.circuit, operators, order, num_batched)


def _bound(
    pubs: Iterable[Any], precision: float | None
) -> tuple[list[EstimatorPub], Callable[[Iterable[PubResult]], list[PubResult]]]:
    """The pubs, those whose circuits need values row by row; and the way back."""
    parts: list[tuple[list[EstimatorPub], Callable[[Sequence[Any]], PubResult]]] = []
    for given in pubs:
        pub = EstimatorPub.coerce(given, precision)
        late = pub.size and needs_values(pub.circuit)
        parts.append(by_row(pub) if late else ([pub], lambda results: results[0]))

    def merge(results: Iterable[PubResult]) -> list[PubResult]:
        found = iter(results)
        return [together([next(found) for _ in own]) for own, together in parts]

    return [pub for own, _ in parts for pub in own], merge


def _isa_pub(pub: EstimatorPub, isa: IsaCircuit) -> EstimatorPub:
    if not np.isfinite(pub.parameter_values.as_array()).all():
        raise InputError("a pub's parameter values hold NaN or infinity")
    return EstimatorPub(
        circuit=isa.circuit,
        observables=map_observables(pub.observables, pub.circuit, isa),
        parameter_values=_bindings(pub, isa),
        precision=pub.precision,
        validate=False,
    )


def _bindings(pub: EstimatorPub, isa: IsaCircuit) -> BindingsArray:
    """The pub's values; only those of parameters that survived the optimiser."""
    kept = {parameter.name for parameter in isa.circuit.parameters}
    if kept == {parameter.name for parameter in pub.circuit.parameters}:
        return pub.parameter_values
    values = pub.parameter_values.as_array(pub.circuit.parameters)
    columns = [i for i, p in enumerate(pub.circuit.parameters) if p.name in kept]
    names = tuple(pub.circuit.parameters[i].name for i in columns)
    data = {names: values[..., columns]} if names else {}
    return BindingsArray(data, shape=pub.parameter_values.shape)
