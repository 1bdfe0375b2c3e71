"""Encoders and ansätze as ordinary Qiskit circuits, and their way into an ``EstimatorQNN``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum.encoding import Angle
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.network import FastEstimatorQNN
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.readings.probabilities import (
    Interpret,
    ProbabilityQNN,
    measured_qubits,
    probability_readout,
    without_final_measurements,
)

READS = ("expectations", "probabilities")


def variational_layer(
    circuit: QuantumCircuit, weights: Sequence[Angle], qubits: Sequence[int] | None = None
) -> None:
    """Append RY → RZ → RX on every qubit and a CNOT chain with wrap-around, in place.

    Args:
        circuit: The circuit to extend.
        weights: 3n angles in radians, ordered by qubit, then RY, RZ, RX.
        qubits: Which n it acts on, in this order; by default all.
    """
    chosen = range(circuit.num_qubits) if qubits is None else qubits
    n = len(chosen)
    for index, qubit in enumerate(chosen):
        ry, rz, rx = weights[3 * index : 3 * index + 3]
        circuit.ry(ry, qubit)
        circuit.rz(rz, qubit)
        circuit.rx(rx, qubit)
    if n > 1:
        for index, qubit in enumerate(chosen):
            # for two qubits the wrap-around is the second of two opposite CNOTs
            circuit.cx(qubit, chosen[(index + 1) % n])


def pooling_layer(
    circuit: QuantumCircuit, weights: Sequence[Angle], qubits: Sequence[int]
) -> list[int]:
    """Append one step of QCNN pooling, in place: of every two qubits one goes on.

    A QCNN (Cong et al., arXiv:1810.03787) measures the second qubit of a pair and rotates the first
    by what was found. Here the rotation is a RY by a + b where 0 is found and by a - b where 1 is,
    written without the measurement: RY(a), CX, RY(b), CX, with the second qubit in control. As
    nothing acts on that qubit afterwards, measured or not makes no difference to the others.

    Args:
        circuit: The circuit to extend.
        weights: a and b of every pair, in radians; ``2 * (len(qubits) // 2)``.
        qubits: Pairs are the first two, the next two, …; an odd one at the end goes on by itself.

    Returns:
        The qubits that go on, half of them rounded up.
    """
    for index, (kept, found) in enumerate(zip(qubits[::2], qubits[1::2], strict=False)):
        for angle in weights[2 * index : 2 * index + 2]:
            circuit.ry(angle, kept)
            circuit.cx(found, kept)
    return list(qubits[::2])


def z_observables(num_qubits: int) -> list[SparsePauliOp]:
    """⟨Z⟩ of every qubit, qubit 0 first."""
    return [
        SparsePauliOp.from_sparse_list([("Z", [qubit], 1.0)], num_qubits=num_qubits)
        for qubit in range(num_qubits)
    ]


def default_observables(circuit: QuantumCircuit) -> list[SparsePauliOp]:
    """⟨Z⟩ of every qubit of a circuit as it was written, where a layout has put it."""
    layout = circuit.layout
    if layout is None:
        return z_observables(circuit.num_qubits)
    written = len(layout.initial_index_layout(filter_ancillas=True))
    return [observable.apply_layout(layout) for observable in z_observables(written)]


def make_qnn(
    circuit: QuantumCircuit,
    inputs: Sequence[Parameter],
    weights: Sequence[Parameter],
    observables: Sequence[Any] | None = None,
    estimator: BaseEstimatorV2 | None = None,
    *,
    read: Literal["expectations", "probabilities"] = "expectations",
    qubits: Sequence[int] | None = None,
    interpret: Interpret | None = None,
    output_shape: int | Sequence[int] | None = None,
) -> EstimatorQNN:
    """Wrap a circuit as an ``EstimatorQNN`` that trains exactly and differentiates its inputs.

    It is a :class:`~qvlm_qiskit.quantum.network.FastEstimatorQNN`: the stock network, made in time
    linear in the number of parameters.

    Args:
        circuit: Any circuit; parameters are ``inputs`` followed by ``weights``.
        inputs: Parameters fed by data.
        weights: Trainable parameters.
        observables: Outputs: sums of Pauli strings or projectors, or Hermitian matrices of all
            qubits, arrays or ``Operator``. By default ⟨Z⟩ of every qubit; of a transpiled circuit,
            of every qubit that it had before.
        estimator: By default an exact :class:`~qvlm_qiskit.quantum.TorchEstimator`.
        read: "probabilities": outputs are probabilities of outcomes instead of expectation values.
            What the circuit measures at its end is not run but says which qubits are read.
        qubits: Whose outcomes; bit i of an outcome is the i-th of them. By default the measured
            qubits by their classical bits, or all that the circuit had before it was transpiled.
        interpret: Maps every outcome to an index of the outputs, or a tuple of them, and the
            probabilities with the same index are added, as in a ``SamplerQNN``.
        output_shape: Of one sample's outputs, with ``interpret``; by default ``(2**k,)``.

    Raises:
        UnknownNameError: Another ``read``.
        InputError: Options that don't belong together, no such qubits, or an index outside
            ``output_shape``.
        CapacityError: More probabilities than memory holds.
        CircuitError: A matrix that is not Hermitian, or none of qubits.
    """
    if read not in READS:
        raise UnknownNameError("read-out", str(read), READS)
    options = {
        "estimator": TorchEstimator() if estimator is None else estimator,
        "input_params": list(inputs),
        "weight_params": list(weights),
        "input_gradients": True,
    }
    if read == "expectations":
        if not (qubits is None and interpret is None and output_shape is None):
            raise InputError("qubits, interpret and output_shape need read='probabilities'")
        chosen = default_observables(circuit) if observables is None else observables
        found = [as_pauli_sum(one) if _is_matrix(one) else one for one in chosen]
        return FastEstimatorQNN(circuit=circuit, observables=found, **options)
    if observables is not None:
        raise InputError("read='probabilities' takes no observables, but qubits")
    plain, bits = without_final_measurements(circuit)
    measured = list(bits.values()) if bits and qubits is None else measured_qubits(plain, qubits)
    readout = probability_readout(measured, interpret, output_shape)
    return ProbabilityQNN(read=readout, circuit=plain, **options)


def _is_matrix(observable: Any) -> bool:
    """Estimators take no matrices."""
    return isinstance(observable, np.ndarray | Operator)
