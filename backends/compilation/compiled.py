"""`Compiled`: the estimator that compiles what it is given for the one that it wraps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, PrimitiveResult, PubResult
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends.compilation.compiler import Compiler, IsaCircuit, map_observables
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import InputError


class Compiled(BaseEstimatorV2):
    """The outermost estimator: takes abstract pubs, gives ISA pubs to the next one.

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

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The calls of `inner.run` that these calls of `run` lead to; nothing is run."""
        for call in calls:
            coerced = [EstimatorPub.coerce(pub, self.default_precision) for pub in call.pubs]
            yield call.with_pubs([_isa_pub(p, self.compiler.isa(p.circuit)) for p in coerced])

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Compile what is new, bind, and run on the inner estimator.

        Args:
            pubs: Estimator pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            InputError: Parameter values that are not finite.
        """
        precision = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        compiled = [self.compiler.isa(pub.circuit) for pub in coerced]
        isa_pubs = [_isa_pub(pub, isa) for pub, isa in zip(coerced, compiled, strict=True)]

        def annotate(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            annotated = [
                PubResult(pub_result.data, {**pub_result.metadata, "compiled": isa.report()})
                for pub_result, isa in zip(result, compiled, strict=True)
            ]
            return PrimitiveResult(annotated, metadata=result.metadata)

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
        if make is None:
            return None
        self.inner.check_differentiable(circuit)  # compiling a large circuit takes minutes
        isa = self.compiler.isa(circuit)
        mapped = map_observables(ObservablesArray.coerce(list(observables)), circuit, isa)
        array = mapped.sparse_observables_array(copy=False).ravel()
        operators = [SparsePauliOp.from_sparse_observable(observable) for observable in array]
        # an equal circuit that was compiled before has other Parameter objects of the same names
        own = {parameter.name: parameter for parameter in isa.circuit.parameters}
        order = [own.get(parameter.name, parameter) for parameter in parameters]
        return make(isa.circuit, operators, order, num_batched)


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
