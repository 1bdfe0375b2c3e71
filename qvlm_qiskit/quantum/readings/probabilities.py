"""Networks whose outputs are the probabilities of measured outcomes, or sums of them.

On the exact engine they are read from the states. Elsewhere such a network is one of Z strings: all
2^k of them are measured in one basis and share their shots, and a Walsh–Hadamard transform makes
probabilities of them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.quantum_info import PauliList, SparsePauliOp
from torch import Tensor

from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.errors import CapacityError, InputError
from qvlm_qiskit.quantum.network import FastEstimatorQNN
from qvlm_qiskit.quantum.outcomes import walsh
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Shape = tuple[int, ...]
Interpret = Callable[[int], int | Iterable[int]]

MAX_STRINGS_QUBITS = 14
"""Of so many qubits at most, the 2^k Z strings are made for estimators."""


@dataclass(frozen=True, eq=False)
class ProbabilityReadout:
    """Which probabilities are read, and which of them are added up.

    Attributes:
        qubits: Of the circuit; bit i of an outcome is the i-th of them.
        shape: Of one sample's outputs.
        places: For every outcome, its place in the flattened outputs, -1 for none; None: outputs
            are the probabilities themselves.
    """

    qubits: tuple[int, ...]
    shape: Shape
    places: Indices | None = None
    _constants: DeviceConstants = field(default_factory=DeviceConstants, repr=False)

    @property
    def size(self) -> int:
        """How many outputs a sample has."""
        return math.prod(self.shape)

    def outputs(self, probabilities: Tensor, dim: int = 1) -> Tensor:
        """Outputs of probabilities; both are flat, on axis ``dim``."""
        if self.places is None:
            return probabilities
        places = self.places
        kept = np.flatnonzero(places >= 0)
        device = probabilities.device
        index = self._constants.get("places", lambda: places[kept], device, torch.int64)
        if len(kept) < len(places):
            chosen = self._constants.get("kept", lambda: kept, device, torch.int64)
            probabilities = probabilities.index_select(dim, chosen)
        sides = list(probabilities.shape)
        sides[dim] = self.size
        return probabilities.new_zeros(sides).index_add(dim, index, probabilities)

    def of_strings(self, values: Tensor) -> Tensor:
        """Outputs ``(B, size)`` of the values of all Z strings, ``(B, 2**k)``."""
        return self.outputs(walsh(values) / values.shape[-1])

    def __getstate__(self) -> dict[str, Any]:
        """Without the tensors of a device."""
        return {**self.__dict__, "_constants": DeviceConstants()}


class ProbabilityQNN(FastEstimatorQNN):
    """An ``EstimatorQNN`` of Z strings whose outputs are probabilities.

    Attributes:
        read: What is read.
    """

    def __init__(
        self, *, read: ProbabilityReadout, circuit: QuantumCircuit, **options: Any
    ) -> None:
        """Make the network.

        Args:
            read: What is read.
            circuit: Without measurements.
            options: Those of ``EstimatorQNN``, but for observables.
        """
        self.read = read
        identity = SparsePauliOp("I" * circuit.num_qubits)
        super().__init__(circuit=circuit, observables=[identity], **options)
        self._output_shape = read.shape

    @property
    def observables(self) -> list[SparsePauliOp]:
        """The Z strings of the measured qubits, by the bits of their index.

        Raises:
            CapacityError: There are too many.
        """
        return list(self._strings)

    @cached_property
    def _strings(self) -> list[SparsePauliOp]:
        count = len(self.read.qubits)
        if count > MAX_STRINGS_QUBITS:
            raise CapacityError(
                f"the probabilities of {count} qubits are 2^{count} Z strings where they are not "
                f"read from states: at most {MAX_STRINGS_QUBITS} qubits there, or a "
                "TorchEstimator without noise"
            )
        masks = np.arange(1 << count)
        z = np.zeros((len(masks), self._org_circuit.num_qubits), dtype=bool)
        for bit, qubit in enumerate(self.read.qubits):
            z[:, qubit] = masks >> bit & 1
        paulis = PauliList.from_symplectic(z, np.zeros_like(z))
        return [SparsePauliOp(paulis[i : i + 1]) for i in range(len(paulis))]

    def string_jacobians(self, rows: Array, weights: Array) -> tuple[Array | None, Array | None]:
        """Derivatives of all Z strings ``(B, 2**k, n)`` by inputs and by weights.

        From the network's own gradient object; see ``EstimatorQNN.backward``.
        """
        plain = FastEstimatorQNN(
            circuit=self._org_circuit,
            estimator=self.estimator,
            observables=self.observables,
            input_params=self._input_params,
            weight_params=self._weight_params,
            gradient=self.gradient,
            input_gradients=self.input_gradients,
            default_precision=self.default_precision,
        )
        by_inputs, by_weights = plain.backward(rows, weights)
        return by_inputs, by_weights

    def _forward(self, input_data: Array | None, weights: Array | None) -> Array:
        """One pub for all strings."""
        values, count = self._preprocess_forward(input_data, weights)
        parameters = tuple(self._circuit.parameters)
        bindings = BindingsArray({parameters: values} if parameters else None, shape=(count,))
        pub = (self._circuit, [[one] for one in self._strings], bindings)
        job = self.estimator.run([pub], precision=self._default_precision)
        strings = torch.as_tensor(np.asarray(job.result()[0].data.evs, dtype=np.float64).T)
        return self.read.of_strings(strings).reshape(count, *self._output_shape).numpy()

    def _backward(
        self, input_data: Array | None, weights: Array | None
    ) -> tuple[Array | None, Array | None]:
        found = self.string_jacobians(input_data, weights)  # type: ignore[arg-type]
        by_inputs, by_weights = (None if x is None else self._of_strings(x) for x in found)
        return by_inputs, by_weights

    def _of_strings(self, jacobian: Array) -> Array:
        """Derivatives of the outputs ``(B, *shape, n)`` from those of the strings."""
        moved = torch.as_tensor(jacobian).movedim(1, -1)
        rows = moved.reshape(-1, moved.shape[-1])
        outputs = self.read.of_strings(rows).reshape(len(moved), -1, *self._output_shape)
        return outputs.movedim(1, -1).numpy()


def probability_readout(
    qubits: Sequence[int],
    interpret: Interpret | None = None,
    output_shape: int | Sequence[int] | None = None,
) -> ProbabilityReadout:
    """What is read of some qubits.

    Args:
        qubits: Of the circuit; bit i of an outcome is the i-th of them.
        interpret: Maps every outcome to an index of the outputs, or to a tuple of them; the
            probabilities of outcomes that it maps to the same place are added.
        output_shape: Of one sample's outputs, with ``interpret``.

    Raises:
        InputError: Only one of ``interpret`` and ``output_shape``, or an index outside the shape.
        CapacityError: More probabilities than memory holds.
    """
    check_count(len(qubits))
    size = 1 << len(qubits)
    if (interpret is None) != (output_shape is None):
        raise InputError("interpret and output_shape belong together: give both or neither")
    if interpret is None or output_shape is None:
        return ProbabilityReadout(tuple(qubits), (size,))
    shape = integers(output_shape)
    if not shape or min(shape) < 1:
        raise InputError(f"output_shape must hold positive numbers, got {output_shape}")
    places = np.fromiter((place_of(o, interpret, shape) for o in range(size)), np.int64, size)
    return ProbabilityReadout(tuple(qubits), shape, places)


def check_count(count: int) -> None:
    """Refuse more qubits than probabilities can be kept of.

    Raises:
        CapacityError: They are too many.
    """
    if count > state_qubits():
        raise CapacityError(
            f"the probabilities of {count} qubits are 2^{count} numbers; those of at most "
            f"{state_qubits()} qubits fit into this machine's memory: read fewer qubits"
        )


def place_of(outcome: int, interpret: Interpret, shape: Shape) -> int:
    """The place of an outcome in the flattened outputs.

    Raises:
        InputError: ``interpret`` gives something else than indices of the outputs.
    """
    given = interpret(outcome)
    index = integers(given) or ()
    fits = len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True))
    if not fits:
        raise InputError(
            f"interpret({outcome}) is {given!r}, which is no index of outputs of shape {shape}"
        )
    return int(np.ravel_multi_index(index, shape))


def integers(given: Any) -> Shape | None:
    """An integer, or several of them, as a tuple; None for anything else."""
    parts = (given,) if isinstance(given, Integral) else given
    try:
        return tuple(operator.index(part) for part in parts)
    except TypeError:
        return None


def without_final_measurements(circuit: QuantumCircuit) -> tuple[QuantumCircuit, dict[int, int]]:
    """The circuit without what is measured at its end, and of every measured bit its qubit.

    Measurements that anything follows stay.

    Returns:
        The circuit itself where nothing is measured at its end.
    """
    later: set[Any] = set()
    kept, found = [], dict[int, int]()
    for item in reversed(circuit.data):
        if item.name == "measure" and not later.intersection((*item.qubits, *item.clbits)):
            qubit, bit = (circuit.find_bit(one).index for one in (item.qubits[0], item.clbits[0]))
            found.setdefault(bit, qubit)
        else:
            kept.append(item)
            if item.name != "barrier":
                later.update(item.qubits, item.clbits)
    if not found:
        return circuit, {}
    if any(item.clbits for item in kept):
        plain = circuit.copy_empty_like()
    else:
        plain = QuantumCircuit(circuit.qubits, global_phase=circuit.global_phase, name=circuit.name)
        plain._layout = circuit.layout  # noqa: SLF001  (there is no public way to it)
    for item in reversed(kept):
        plain.append(item)
    return plain, dict(sorted(found.items()))


def measured_qubits(circuit: QuantumCircuit, qubits: Sequence[int] | None) -> list[int]:
    """Where a circuit has the qubits that are to be read, of a transpiled one those it had before.

    Args:
        circuit: Without measurements.
        qubits: By their numbers before a layout; None: all.

    Raises:
        InputError: No such qubits, or one of them twice.
    """
    layout = circuit.layout
    places = list(range(circuit.num_qubits))
    if layout is not None:
        places = list(layout.final_index_layout(filter_ancillas=True))
    chosen = tuple(range(len(places))) if qubits is None else integers(qubits)
    known = chosen is not None and all(0 <= qubit < len(places) for qubit in chosen)
    if not chosen or not known or len(set(chosen)) < len(chosen):
        raise InputError(
            f"qubits must be different numbers from 0 to {len(places) - 1}, got {qubits}"
        )
    return [places[qubit] for qubit in chosen]
