"""Qiskit Machine Learning as it comes: ``EstimatorQNN``, ``TorchConnector``, ``QMLEstimator``."""

from __future__ import annotations

from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.neural_networks import EstimatorQNN
from qiskit_machine_learning.primitives import QMLEstimator
from torch import Tensor
from workloads import Data, Workload

from peers.qiskit_network import circuit_of
from peers.runner import TorchRunner
from qvlm_qiskit.quantum import amplitude_angles


def batch_limit(workload: Workload) -> int | str:
    """One sample of a large circuit; input gradients of an amplitude encoding take too long."""
    if workload.num_qubits <= 3:
        return workload.batch
    if workload.encoding == "amplitude":
        circuits = 2 * (workload.num_inputs - 1 + workload.num_weights)
        return f"{circuits} shifted circuits of {workload.num_inputs} gates and more per sample"
    return 1


def build(workload: Workload, data: Data, threads: int) -> TorchRunner:
    """The pair with exact expectation values and its default gradient, the parameter shift."""
    circuit, inputs, weights = circuit_of(workload)
    network = EstimatorQNN(
        circuit=circuit,
        estimator=QMLEstimator(default_precision=0.0),
        observables=[
            SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], num_qubits=workload.num_qubits)
            for q in range(workload.num_qubits)
        ],
        input_params=inputs,
        weight_params=weights,
        input_gradients=True,
        default_precision=0.0,
    )
    connector = TorchConnector(network, initial_weights=data.weights)

    def evaluate(batch: Tensor) -> Tensor:
        outputs: Tensor = connector(
            batch if workload.encoding == "angle" else amplitude_angles(batch)
        )
        return outputs

    return TorchRunner(evaluate, [connector.weight], data)
