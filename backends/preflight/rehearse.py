"""Which pubs a model sends, found by running it exactly with an estimator that takes notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.late_definitions import needs_values
from qvlm_qiskit.basics.numbers import is_whole, plain_number
from qvlm_qiskit.errors import InputError


@runtime_checkable
class Layer(Protocol):
    """A quantum layer, such as ``qvlm_qiskit.quantum.QuantumLayer``."""

    neural_network: Any

    def run_on(self, backend: Any) -> AbstractContextManager[None]:
        """Run on another estimator, as a context manager until its end."""
        ...


@runtime_checkable
class Model(Protocol):
    """A model with quantum layers, such as ``HybridVLM``."""

    @property
    def quantum_layers(self) -> Mapping[str, Layer]:
        """Every quantum layer by its name."""
        ...


@dataclass(frozen=True)
class AskedCircuit:
    """A circuit that is to run, and what is asked of it.

    Attributes:
        name: The layer's name in its model, or the circuit's.
        circuit: As written, not compiled.
        observables: All that are read for every row, ``(n, 1)``.
    """

    name: str
    circuit: QuantumCircuit
    observables: ObservablesArray

    def call(self, rows: int) -> Call:
        """One call with so many different rows of parameter values.

        They are zero, unless the circuit is defined only with values: then they are any.
        """
        shape = rows, self.circuit.num_parameters
        late = needs_values(self.circuit)
        values = np.random.default_rng(0).uniform(0.1, 1.0, shape) if late else np.zeros(shape)
        pub = EstimatorPub.coerce((self.circuit, self.observables, values))
        return Call((pub,), self.name)


def blocks_of(subject: Any) -> list[AskedCircuit]:
    """The circuits of a model, a layer, or ``{name: (circuit, observables)}``.

    All observables are read for every row, whatever shape they come in.

    Raises:
        InputError: Anything else, or nothing to run.
    """
    if isinstance(subject, Model):
        found = [_layer_block(name, layer) for name, layer in subject.quantum_layers.items()]
    elif isinstance(subject, Layer):
        found = [_layer_block(subject.neural_network.circuit.name, subject)]
    elif isinstance(subject, Mapping):
        found = [_circuit_block(name, *_pair(name, pair)) for name, pair in subject.items()]
    else:
        raise InputError(
            "preflight takes a model with quantum layers, a quantum layer, or a mapping of names "
            f"to (circuit, observables), not {type(subject).__name__}"
        )
    if not found:
        raise InputError("there is no quantum layer here, so nothing would run on a machine")
    return found


def rehearse(subject: Any, batch: Any, exact: BaseEstimatorV2) -> list[Call]:
    """The calls of ``run`` that a batch leads to.

    Args:
        subject: As `blocks_of` takes it.
        batch: A number of rows, all different, for every block; for a model or layer also its
            inputs (a mapping of keyword arguments, or one argument), or a function without
            arguments that runs it in whatever way is meant.
        exact: Answers instead of the machine.

    Raises:
        InputError: A number of rows below 1, or inputs for bare circuits.
    """
    batch = plain_number(batch)
    if is_whole(batch):
        if batch < 1:
            raise InputError(f"the batch is {batch}; preflight needs at least 1 row")
        return [block.call(batch) for block in blocks_of(subject)]
    if isinstance(subject, Model):
        layers = dict(subject.quantum_layers)
    elif isinstance(subject, Layer):
        layers = {subject.neural_network.circuit.name: subject}
    else:
        raise InputError("bare circuits have no inputs: give the number of rows as the batch")
    calls: list[Call] = []
    with ExitStack() as stack:
        for name, layer in layers.items():
            stack.enter_context(layer.run_on(_TakingNotes(name, calls, exact)))
        _run(subject, batch)
    return calls


def exact_estimator() -> BaseEstimatorV2:
    """What answers instead of the machine while a batch is rehearsed: this package's engine."""
    from qvlm_qiskit.quantum import TorchEstimator

    return TorchEstimator()


class _TakingNotes(BaseEstimatorV2):
    """Answers exactly, and remembers what it was asked."""

    def __init__(self, block: str, calls: list[Call], exact: BaseEstimatorV2) -> None:
        self.block = block
        self.calls = calls
        self.exact = exact

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> Any:
        """Evaluate the pubs without sampling."""
        coerced = tuple(EstimatorPub.coerce(pub, precision) for pub in pubs)
        self.calls.append(Call(coerced, self.block))
        return self.exact.run(
            [(pub.circuit, pub.observables, pub.parameter_values) for pub in coerced]
        )


def _run(subject: Callable[..., Any] | Any, batch: Any) -> None:
    if callable(batch) and not hasattr(batch, "shape"):
        batch()
    elif isinstance(batch, Mapping):
        subject(**batch)
    else:
        subject(batch)


def _layer_block(name: str, layer: Layer) -> AskedCircuit:
    network = layer.neural_network
    return _circuit_block(name, network.circuit, network.observables)


def _circuit_block(name: str, circuit: QuantumCircuit, observables: Any) -> AskedCircuit:
    return AskedCircuit(str(name), circuit, ObservablesArray.coerce(observables).reshape(-1, 1))


def _pair(name: str, pair: Any) -> tuple[QuantumCircuit, Any]:
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], QuantumCircuit):
        raise InputError(f"{name!r} must be a pair (circuit, observables)")
    circuit, observables = pair
    return circuit, observables
