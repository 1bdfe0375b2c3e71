"""Which pubs a model sends, found by running it exactly with an estimator that takes notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.numbers import is_whole, plain_number
from qvlm_qiskit.errors import InputError


@runtime_checkable
class Layer(Protocol):
    """A quantum layer, such as ``qvlm_qiskit.quantum.QuantumLayer``."""

    neural_network: Any

    def run_on(self, backend: Any) -> AbstractContextManager[None]:
        """Run on another estimator, as a context manager until its end."""
        ...


class Overhead(Protocol):
    """What cutting a circuit costs; its text says it in one sentence."""

    @property
    def rows(self) -> tuple[int, ...]:
        """For every fragment, rows of parameter values for each sample."""
        ...


@runtime_checkable
class CutLayer(Layer, Protocol):
    """A layer whose circuit is run as fragments, such as ``qvlm_qiskit.quantum.CutLayer``."""

    @property
    def fragments(self) -> tuple[Any, ...]:
        """The fragments' networks."""
        ...

    @property
    def overhead(self) -> Overhead:
        """What cutting costs."""
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
        rows: Rows of parameter values for each sample: more than one below a cut.
        note: What else is to be said of it.
    """

    name: str
    circuit: QuantumCircuit
    observables: ObservablesArray
    rows: int = 1
    note: str = ""

    def call(self, samples: int) -> Call:
        """One call with so many different samples; their values are any."""
        shape = samples * self.rows, self.circuit.num_parameters
        values = np.random.default_rng(0).uniform(0.1, 1.0, shape)
        pub = EstimatorPub.coerce((self.circuit, self.observables, values))
        return Call((pub,), self.name)


def blocks_of(subject: Any) -> list[AskedCircuit]:
    """The circuits of a model, a layer, or ``{name: (circuit, observables)}``.

    All observables are read for every row, whatever shape they come in.

    Raises:
        InputError: Anything else, or nothing to run.
    """
    if isinstance(subject, Model):
        layers = subject.quantum_layers.items()
        found = [block for name, layer in layers for block in _layer_blocks(name, layer)]
    elif isinstance(subject, Layer):
        found = _layer_blocks(subject.neural_network.circuit.name, subject)
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
            names = {block.circuit.name: block.name for block in _layer_blocks(name, layer)}
            stack.enter_context(layer.run_on(_TakingNotes(name, names, calls, exact)))
        _run(subject, batch)
    return calls


def exact_estimator() -> BaseEstimatorV2:
    """What answers instead of the machine while a batch is rehearsed: this package's engine."""
    from qvlm_qiskit.quantum import TorchEstimator

    return TorchEstimator()


class _TakingNotes(BaseEstimatorV2):
    """Answers exactly, and remembers what it was asked."""

    def __init__(
        self, block: str, names: Mapping[str, str], calls: list[Call], exact: BaseEstimatorV2
    ) -> None:
        self.block = block
        self.names = names
        self.calls = calls
        self.exact = exact

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> Any:
        """Evaluate the pubs without sampling."""
        coerced = tuple(EstimatorPub.coerce(pub, precision) for pub in pubs)
        asked = coerced[0].circuit.name if coerced else ""
        self.calls.append(Call(coerced, self.names.get(asked, self.block)))
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


def _layer_blocks(name: str, layer: Layer) -> list[AskedCircuit]:
    """A layer's circuit, or its fragments."""
    if not isinstance(layer, CutLayer):
        network = layer.neural_network
        return [_circuit_block(name, network.circuit, network.observables)]
    count, overhead = len(layer.fragments), layer.overhead
    found = []
    for i, (network, rows) in enumerate(zip(layer.fragments, overhead.rows, strict=True)):
        own = f"{name}, fragment {i + 1} of {count}"
        block = _circuit_block(own, network.circuit, network.observables)
        found.append(replace(block, rows=rows, note="" if i else str(overhead)))
    return found


def _circuit_block(name: str, circuit: QuantumCircuit, observables: Any) -> AskedCircuit:
    return AskedCircuit(str(name), circuit, ObservablesArray.coerce(observables).reshape(-1, 1))


def _pair(name: str, pair: Any) -> tuple[QuantumCircuit, Any]:
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], QuantumCircuit):
        raise InputError(f"{name!r} must be a pair (circuit, observables)")
    circuit, observables = pair
    return circuit, observables
