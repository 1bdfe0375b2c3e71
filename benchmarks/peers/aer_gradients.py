"""Gradients of one ``EstimatorQNN`` on Aer, by the stock rule and by ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit_aer.primitives import EstimatorV2
from qiskit_machine_learning.gradients import BaseEstimatorGradient, ParamShiftEstimatorGradient
from qiskit_machine_learning.neural_networks import EstimatorQNN
from timing import interleave, spread, timed
from workloads import Workload

from peers.qiskit_network import circuit_of
from qvlm_qiskit.quantum import z_observables


def compare_gradients(workload: Workload, smoke: bool) -> dict[str, Any]:
    """Backward pass for the whole batch by every method; largest deviation from the stock rule.

    The stock rule runs once: its time is minutes.
    """
    from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient

    data = workload.data()
    estimator = EstimatorV2()
    stock = network_on(workload, estimator, ParamShiftEstimatorGradient(estimator))
    reference: list[Any] = []
    seconds = timed(lambda: reference.extend(stock.backward(data.inputs, data.weights)))
    ours = {
        method: network_on(workload, estimator, BatchedEstimatorGradient(estimator, method))
        for method in ("param_shift", "adjoint")
    }
    entries: dict[str, dict[str, Any]] = {}
    for method, network in ours.items():
        found = network.backward(data.inputs, data.weights)
        deviation = max(np.abs(a - b).max() for a, b in zip(found, reference, strict=True))
        entries[method] = {"deviation": float(deviation)}
    calls = {m: lambda q=q: q.backward(data.inputs, data.weights) for m, q in ours.items()}
    times = interleave(calls, 1 if smoke else 5, 0.01)
    for method, entry in entries.items():
        entry |= {"ms": times[method], "speedup": 1000 * seconds / times[method]["median"]}
    return {"stock_ms": spread([seconds]), "methods": entries}


def network_on(
    workload: Workload, estimator: EstimatorV2, gradient: BaseEstimatorGradient
) -> EstimatorQNN:
    """The workload's network on an Aer estimator, with a gradient of choice."""
    circuit, inputs, weights = circuit_of(workload)
    return EstimatorQNN(
        circuit=circuit,
        estimator=estimator,
        gradient=gradient,
        observables=z_observables(workload.num_qubits),
        input_params=inputs,
        weight_params=weights,
        input_gradients=True,
        default_precision=0.0,
    )
