import copy

import numpy as np
import pytest
from qiskit.primitives import StatevectorEstimator
from qiskit_aer.primitives import EstimatorV2 as AerEstimator
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from tests.parameters import first_by_default
from tests.quantum.gradients.requests import rows_sent

NETWORK_ESTIMATORS = {
    "qml": QMLEstimator,
    "statevector": StatevectorEstimator,
    "torch": lambda: TorchEstimator(dtype="complex128"),
    "aer": AerEstimator,
}


@pytest.mark.parametrize("input_gradients", first_by_default(True, False))
@pytest.mark.parametrize("name", NETWORK_ESTIMATORS)
@pytest.mark.parametrize("method", ["param_shift", "adjoint"])
def test_the_backward_pass_of_a_network(
    make_network, weights, counting_statevector, name, method, input_gradients
):
    rows = np.random.default_rng(2).uniform(-2, 2, (3, 2))
    estimator = NETWORK_ESTIMATORS[name]()
    ours = make_network(
        estimator=estimator,
        gradient=BatchedEstimatorGradient(estimator, method),
        input_gradients=input_gradients,
    ).backward(rows, weights)
    reference = QMLEstimator()
    theirs = make_network(estimator=reference, input_gradients=input_gradients).backward(
        rows, weights
    )
    assert (ours[0] is None) == (not input_gradients)
    for mine, other in zip(ours, theirs, strict=True):
        if other is not None:
            assert mine.shape == other.shape
            np.testing.assert_allclose(mine, other, atol=1e-8)


def test_a_backward_pass_is_one_pub(make_network, weights, counting_statevector):
    network = make_network(gradient=BatchedEstimatorGradient(counting_statevector))
    network.backward(np.ones((4, 2)) * np.arange(4)[:, None], weights)
    # 4 samples, 7 gate angles
    assert rows_sent(counting_statevector.calls) == [(4 * 7 * 2,)]


def test_a_layer_trains_through_it_and_can_be_copied(make_network, weights):
    import torch

    estimator = StatevectorEstimator()
    network = make_network(estimator=estimator, gradient=BatchedEstimatorGradient(estimator))
    layer = QuantumLayer(network, initial_weights=weights)
    exact = QuantumLayer(make_network(), initial_weights=weights).double()
    inputs = torch.tensor([[0.3, -0.8]], dtype=torch.float64)
    for module in (exact, layer, copy.deepcopy(layer)):
        module.zero_grad()
        module(inputs).sum().backward()
        torch.testing.assert_close(module.weight.grad, exact.weight.grad, check_dtype=False)
