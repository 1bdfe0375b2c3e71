"""Encoders and ansätze as ordinary Qiskit circuits, and their way into an ``EstimatorQNN``."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.quantum.encoding import Angle
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.network import FastEstimatorQNN


def variational_layer(circuit: QuantumCircuit, weights: Sequence[Angle]) -> None:
    """Append RY → RZ → RX on every qubit and a CNOT chain with wrap-around, in place.

    Args:
        circuit: The circuit to extend; n qubits.
        weights: 3n angles in radians, ordered by qubit, then RY, RZ, RX.
    """
    n = circuit.num_qubits
    for qubit in range(n):
        ry, rz, rx = weights[3 * qubit : 3 * qubit + 3]
        circuit.ry(ry, qubit)
        circuit.rz(rz, qubit)
        circuit.rx(rx, qubit)
    if n > 1:
        for qubit in range(n):
            # for two qubits the wrap-around is the second of two opposite CNOTs
            circuit.cx(qubit, (qubit + 1) % n)


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
    observables: Sequence[SparsePauliOp] | None = None,
    estimator: BaseEstimatorV2 | None = None,
) -> EstimatorQNN:
    """Wrap a circuit as an ``EstimatorQNN`` that trains exactly and differentiates its inputs.

    It is a :class:`~qvlm_qiskit.quantum.network.FastEstimatorQNN`: the stock network, made in time
    linear in the number of parameters.

    Args:
        circuit: Any circuit; parameters are ``inputs`` followed by ``weights``.
        inputs: Parameters fed by data.
        weights: Trainable parameters.
        observables: Outputs, by default ⟨Z⟩ of every qubit; of a transpiled circuit, of every qubit
            that it had before.
        estimator: By default an exact :class:`~qvlm_qiskit.quantum.TorchEstimator`.
    """
    return FastEstimatorQNN(
        circuit=circuit,
        estimator=TorchEstimator() if estimator is None else estimator,
        observables=list(default_observables(circuit) if observables is None else observables),
        input_params=list(inputs),
        weight_params=list(weights),
        input_gradients=True,
    )
