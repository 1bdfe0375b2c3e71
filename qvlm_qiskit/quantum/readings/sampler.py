"""``SamplerQNN`` for a quantum layer: the same outputs, as a network of probabilities.

Its sampler becomes an estimator of Z strings, so that values, shifted rows and ``run_on`` go the
same way as for every other network.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import ClassicalRegister, QuantumCircuit
from qiskit.primitives import BitArray, PrimitiveResult, PubResult
from qiskit.primitives.base import BaseEstimatorV2, BaseSamplerV2
from qiskit.primitives.containers import DataBin
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from qiskit.primitives.primitive_job import PrimitiveJob
from qiskit_machine_learning.gradients import ParamShiftSamplerGradient
from qiskit_machine_learning.neural_networks import EstimatorQNN, NeuralNetwork, SamplerQNN
from qiskit_machine_learning.primitives import QMLSampler

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.layer_checks import LayerInputError
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.outcomes import spread_bits, walsh
from qvlm_qiskit.quantum.readings.probabilities import (
    ProbabilityQNN,
    ProbabilityReadout,
    measured_qubits,
    place_of,
    without_final_measurements,
)

Array = npt.NDArray[np.float64]
Term = tuple[int, float, int]
"""Mask of the measured qubits, coefficient, number of the observable."""


class SamplerEstimator(BaseEstimatorV2):  # type: ignore[misc]
    """Expectation values of Z strings from any V2 sampler: one basis, all strings share the shots.

    Args:
        sampler: Measures.
    """

    def __init__(self, sampler: BaseSamplerV2) -> None:
        self.sampler = sampler

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> PrimitiveJob[PrimitiveResult[PubResult]]:
        """Measure every pub's rows.

        Args:
            pubs: Their observables hold only Z and projectors on |0⟩ and |1⟩.
            precision: Of pubs that name none: ⌈1/p²⌉ shots. With 0, or none, the sampler's own
                number of shots.

        Raises:
            CircuitError: An observable in another basis, from the job's result.
        """
        coerced = [EstimatorPub.coerce(pub, precision or 0.0) for pub in pubs]
        job: PrimitiveJob[PrimitiveResult[PubResult]] = PrimitiveJob(self._run, coerced)
        job._submit()  # noqa: SLF001  (the base class offers no public way)
        return job

    def _run(self, pubs: Sequence[EstimatorPub]) -> PrimitiveResult[PubResult]:
        sums = [_strings_of(pub) for pub in pubs]
        registers = [
            _register_of(pub.circuit, qubits) for pub, (qubits, _) in zip(pubs, sums, strict=True)
        ]
        asked = [
            (_measuring(pub.circuit, qubits, register), pub.parameter_values, _shots(pub))
            for pub, (qubits, _), register in zip(pubs, sums, registers, strict=True)
        ]
        found = self.sampler.run(asked).result()
        results = [
            _result(pub, register, terms, one)
            for pub, (_, terms), register, one in zip(pubs, sums, registers, found, strict=True)
        ]
        return PrimitiveResult(results, metadata={"version": 2})


def _shots(pub: EstimatorPub) -> int | None:
    return math.ceil(1.0 / pub.precision**2) if pub.precision > 0 else None


def _strings_of(pub: EstimatorPub) -> tuple[list[int], list[Term]]:
    """The qubits to measure, and the terms of all observables in C order."""
    sums = [as_pauli_sum(one) for one in pub.observables.sparse_observables_array().ravel()]
    sparse = [(number, entry) for number, one in enumerate(sums) for entry in one.to_sparse_list()]
    if any(set(letters) - {"Z"} for _, (letters, _, _) in sparse):
        raise CircuitError("a sampler measures Z strings only: use an estimator for X and Y")
    qubits = sorted({int(qubit) for _, (_, places, _) in sparse for qubit in places})
    bit = {qubit: i for i, qubit in enumerate(qubits)}
    terms = [
        (sum(1 << bit[int(qubit)] for qubit in places), float(np.real(coefficient)), number)
        for number, (_, places, coefficient) in sparse
    ]
    return qubits, terms


def _register_of(circuit: QuantumCircuit, qubits: Sequence[int]) -> ClassicalRegister:
    """A register under a name that the circuit has not; one bit if no observable holds a Z."""
    name = "measured"
    while any(own.name == name for own in circuit.cregs):
        name += "_"
    return ClassicalRegister(max(1, len(qubits)), name)


def _measuring(
    circuit: QuantumCircuit, qubits: Sequence[int], register: ClassicalRegister
) -> QuantumCircuit:
    measured = circuit.copy()
    measured.add_register(register)
    measured.measure(list(qubits) or [0], list(register))
    return measured


def _result(
    pub: EstimatorPub, register: ClassicalRegister, terms: Sequence[Term], found: Any
) -> PubResult:
    """Values and standard errors of the pub's shape, from a sampler's result."""
    data = getattr(found.data, register.name)
    outcomes = _frequencies(data, register.size).reshape(pub.parameter_values.size, -1)
    strings = walsh(torch.as_tensor(outcomes)).numpy()
    means = np.zeros((pub.observables.size, len(outcomes)))
    squares = np.zeros_like(means)
    masks = np.array([mask for mask, _, _ in terms], dtype=np.int64)
    factors = np.array([factor for _, factor, _ in terms])
    numbers = np.array([number for _, _, number in terms], dtype=np.int64)
    for number in range(pub.observables.size):
        own = numbers == number
        mask, factor = masks[own], factors[own]
        means[number] = strings[:, mask] @ factor
        both = (mask[:, None] ^ mask).ravel()
        squares[number] = strings[:, both] @ (factor[:, None] * factor).ravel()
    shots = getattr(data, "num_shots", None)
    spread = np.zeros_like(means)
    if shots is not None:
        spread = np.sqrt(np.maximum(squares - means**2, 0.0) / shots)
    rows = np.arange(len(outcomes)).reshape(pub.parameter_values.shape)
    columns = np.arange(pub.observables.size).reshape(pub.observables.shape)
    row, column = np.broadcast_arrays(rows, columns)
    evs, stds = np.asarray(means[column, row]), np.asarray(spread[column, row])
    return PubResult(
        DataBin(evs=evs, stds=stds, shape=evs.shape), metadata={"shots": shots, **found.metadata}
    )


def _frequencies(data: Any, bits: int) -> Array:
    """Relative frequencies, or exact probabilities, ``(…, 2**bits)``."""
    if isinstance(data, BitArray):
        packed = data.array.astype(np.int64)  # the last byte is the lowest
        outcomes = np.zeros(packed.shape[:-1], dtype=np.int64)
        for byte in np.moveaxis(packed, -1, 0):
            outcomes = outcomes << 8 | byte
        flat = outcomes.reshape(-1, data.num_shots)
        counts = np.stack([np.bincount(row, minlength=1 << bits) for row in flat])
        return np.asarray(counts / data.num_shots)
    # qiskit-machine-learning's exact sampler gives dictionaries
    given = np.asarray(data.get_probabilities(), dtype=object)
    found = np.zeros((given.size, 1 << bits))
    for row, probabilities in zip(found, given.ravel(), strict=True):
        for outcome, probability in probabilities.items():
            row[int(outcome, 2)] = probability
    return found


class SamplerNetwork(ProbabilityQNN):
    """A ``SamplerQNN`` as a network of probabilities.

    Attributes:
        origin: The ``SamplerQNN``. Whether inputs get gradients is read from it.
    """

    def __init__(self, origin: SamplerQNN) -> None:
        """Read its circuit, its interpretation and its sampler.

        Args:
            origin: Its sampler is asked as it is. Only qiskit-machine-learning's ``QMLSampler``
                without shots, which computes probabilities from a state, stands for the exact
                engine here.

        Raises:
            InputError: Its interpretation leaves its output shape.
        """
        self.origin = origin
        circuit, bits = without_final_measurements(origin.circuit)
        if not bits:
            bits = dict(enumerate(measured_qubits(circuit, None)))
        self._keys = spread_bits(list(bits))
        own = type(origin.gradient) is ParamShiftSamplerGradient
        own = own and origin.gradient._sampler is origin.sampler  # noqa: SLF001
        super().__init__(
            read=_readout(origin, list(bits.values()), self._keys),
            circuit=circuit,
            estimator=_estimator_of(origin.sampler),
            input_params=origin.input_params,
            weight_params=origin.weight_params,
            gradient=None if own else origin.gradient,
            default_precision=0.0,
        )

    @property
    def input_gradients(self) -> bool:
        """Whether inputs get gradients."""
        return bool(self.origin.input_gradients)

    @input_gradients.setter
    def input_gradients(self, value: bool) -> None:
        """Say so to the network that this one was made of."""
        self.origin.input_gradients = value

    def string_jacobians(self, rows: Array, weights: Array) -> tuple[Array | None, Array | None]:
        """From the gradient object of the ``SamplerQNN``, where it has one of its own."""
        if self.gradient is not self.origin.gradient:
            return super().string_jacobians(rows, weights)
        # the same parameters: gradient objects remember circuits and mistake equal ones
        plain = copy(self.origin)
        plain.set_interpret(None)
        by_inputs, by_weights = plain.backward(rows, weights)
        return self._strings_from(by_inputs), self._strings_from(by_weights)

    def _strings_from(self, jacobian: Array | None) -> Array | None:
        """Derivatives of the strings from those of the outcomes ``(B, 2**n, n_parameters)``."""
        if jacobian is None:
            return None
        padded = np.zeros((len(jacobian), int(self._keys.max()) + 1, jacobian.shape[-1]))
        shared = min(padded.shape[1], jacobian.shape[1])
        padded[:, :shared] = jacobian[:, :shared]
        chosen = torch.as_tensor(padded[:, self._keys]).movedim(1, -1)
        return walsh(chosen).movedim(-1, 1).numpy()


def _readout(
    origin: SamplerQNN, qubits: Sequence[int], keys: npt.NDArray[np.int64]
) -> ProbabilityReadout:
    """Outcomes by the integers of the classical bits, as the network counts them."""
    shape, size = tuple(origin.output_shape), 2**origin.num_virtual_qubits
    places = np.array(
        [place_of(int(key), origin.interpret, shape) if key < size else -1 for key in keys]
    )
    same = shape == (size,) and np.array_equal(places, np.arange(size))
    return ProbabilityReadout(tuple(qubits), shape, None if same else places)


def _estimator_of(sampler: BaseSamplerV2) -> BaseEstimatorV2:
    if type(sampler) is QMLSampler and sampler.options.default_shots is None:
        return TorchEstimator()
    return SamplerEstimator(sampler)


def network_of_layer(network: NeuralNetwork, sparse: bool | None) -> EstimatorQNN:
    """What a layer runs for a network: itself, or the probabilities that a ``SamplerQNN`` reads.

    Args:
        network: An ``EstimatorQNN`` or ``SamplerQNN``.
        sparse: What was asked of the layer.

    Raises:
        InputError: Another network, or sparse output.
    """
    if sparse or (sparse is None and getattr(network, "sparse", False)):
        raise LayerInputError(
            "QuantumLayer has dense outputs only: sparse must be False, or None for a dense network"
        )
    if isinstance(network, SamplerQNN):
        return SamplerNetwork(network)
    if not isinstance(network, EstimatorQNN):
        raise LayerInputError(
            f"QuantumLayer takes an EstimatorQNN or SamplerQNN, got {type(network).__name__}"
        )
    return network
