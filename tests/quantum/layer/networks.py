"""Networks of any circuit on two estimators, and gradients under one fixed loss."""

from contextlib import nullcontext

import torch
from qiskit.primitives import StatevectorEstimator
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.quantum import TorchEstimator, z_observables

ESTIMATORS = {"fast": TorchEstimator, "primitive": StatevectorEstimator}


def network_on(circuit, kind, inputs=(), weights=()):
    return EstimatorQNN(
        circuit=circuit,
        estimator=ESTIMATORS[kind](),
        observables=z_observables(circuit.num_qubits),
        input_params=list(inputs),
        weight_params=list(weights),
        input_gradients=True,
        default_precision=0.0,
    )


def gradients(layer, inputs, outer=None, context=nullcontext):
    """Values, input gradient and weight gradient under one fixed linear loss."""
    layer.zero_grad()
    inputs = inputs.clone().requires_grad_()
    with context():
        values = layer(inputs)
    if outer is None:
        outer = torch.linspace(-1, 2, values.numel(), dtype=values.dtype).reshape(values.shape)
    (values * outer).sum().backward()
    return values.detach(), inputs.grad, layer.weight.grad
