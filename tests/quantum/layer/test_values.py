"""Values and gradients of a layer, whatever the shape and dtype of its inputs."""

import numpy as np
import pytest
import torch
from qiskit.primitives import StatevectorEstimator
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import (
    QuantumLayer,
    TorchEstimator,
)
from tests.quantum.layer.networks import gradients


@pytest.mark.parametrize("shape", [(2,), (1, 2), (4, 2), (3, 4, 2), (2, 1, 3, 2)])
def test_leading_shapes_are_kept_and_mean_nothing(exact, shape):
    inputs = torch.randn(shape)
    values = exact(inputs)
    assert values.shape == (*shape[:-1], 4)
    torch.testing.assert_close(values.reshape(-1, 4), exact(inputs.reshape(-1, 2)))


@pytest.mark.parametrize("shape", [(0, 2), (2, 0, 2), (0, 3, 2)])
def test_an_empty_batch_gives_an_empty_batch(exact, shape):
    inputs = torch.zeros(shape, requires_grad=True)
    values = exact(inputs)
    assert values.shape == (*shape[:-1], 4)
    values.sum().backward()
    assert inputs.grad.shape == shape
    assert exact.weight.grad is None or not exact.weight.grad.any()


def test_values_are_the_twins(double, rows, weights, twin):
    network = double.neural_network
    full = np.concatenate([rows.numpy(), np.tile(weights, (5, 1))], axis=1)
    parameters = [*network.input_params, *network.weight_params]
    expected = twin(network.circuit, network.observables, full, parameters)
    np.testing.assert_allclose(double(rows).detach().numpy(), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-10), (torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)],
)
def test_the_output_has_the_inputs_dtype(exact, double, rows, dtype, tolerance):
    inputs = rows.to(dtype)
    values = (double if dtype is torch.float64 else exact)(inputs)
    assert values.dtype == dtype
    reference = double(inputs.double())
    torch.testing.assert_close(values.double(), reference, atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_to_moves_the_weights_but_never_to_half_precision(exact, rows, dtype):
    exact.to(dtype)
    kept = torch.float32 if dtype == torch.bfloat16 else dtype
    assert exact.weight.dtype == kept
    values, input_gradient, weight_gradient = gradients(exact, rows.to(dtype))
    assert values.dtype == input_gradient.dtype == dtype
    assert weight_gradient.dtype == kept
    assert torch.isfinite(weight_gradient).all()


def test_autocast_does_not_degrade_the_circuit(exact, rows):
    inputs = rows.float()
    plain = gradients(exact, inputs)
    values = gradients(exact, inputs, context=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    assert values[0].dtype == torch.float32
    for under, without in zip(values, plain, strict=True):
        torch.testing.assert_close(under, without, atol=1e-6, rtol=0)


def test_autocast_inputs_of_half_precision_are_computed_in_full(exact, rows):
    inputs = rows.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = exact(inputs)
    torch.testing.assert_close(values, exact(inputs.float()).bfloat16())


@pytest.mark.parametrize("shape", [(1, 2), (5, 2)])
def test_forward_and_backward_are_the_stock_connectors(make_network, weights, shape):
    stock_network = make_network(estimator=QMLEstimator())
    stock = TorchConnector(stock_network, initial_weights=weights)
    ours = QuantumLayer(make_network(), initial_weights=weights)
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    for mine, theirs in zip(gradients(ours, inputs), gradients(stock, inputs), strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-6, rtol=1e-5)


def test_one_sample_agrees_with_the_stock_connector(make_network, weights):
    stock = TorchConnector(make_network(estimator=QMLEstimator()), initial_weights=weights)
    ours = QuantumLayer(make_network(), initial_weights=weights)
    inputs = torch.tensor([0.3, -1.2])
    torch.testing.assert_close(ours(inputs), stock(inputs), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("fast", (2, 2, 2, 2)),
        pytest.param("fast", (2, 3, 2), marks=pytest.mark.slow),
        ("primitive", (2, 3, 2)),
        pytest.param("primitive", (2, 2, 2, 2), marks=pytest.mark.slow),
    ],
)
def test_gradients_of_a_sequence_are_those_of_its_flattened_rows(
    make_network, weights, shape, kind
):
    estimator = TorchEstimator() if kind == "fast" else StatevectorEstimator()
    layer = QuantumLayer(make_network(estimator=estimator), initial_weights=weights)
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    outer = torch.randn(*shape[:-1], 4, generator=torch.Generator().manual_seed(3))
    values, input_gradient, weight_gradient = gradients(layer, inputs, outer)
    stock = TorchConnector(make_network(estimator=QMLEstimator()), initial_weights=weights)
    flat = gradients(stock, inputs.reshape(-1, 2), outer.reshape(-1, 4))
    torch.testing.assert_close(values.reshape(-1, 4), flat[0], atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(input_gradient.reshape(-1, 2), flat[1], atol=5e-6, rtol=1e-5)
    torch.testing.assert_close(weight_gradient, flat[2], atol=2e-5, rtol=1e-5)


def test_frozen_weights_get_no_gradient_and_inputs_do(exact, rows):
    exact.weight.requires_grad_(False)
    inputs = rows.clone().requires_grad_()
    exact(inputs).sum().backward()
    assert exact.weight.grad is None
    assert inputs.grad.any()


def test_gradcheck_of_the_layer(double, rows):
    inputs = rows[:2].clone().requires_grad_()
    assert torch.autograd.gradcheck(double, (inputs,))
    assert torch.autograd.gradcheck(lambda _: double(inputs), (double.weight,))


@pytest.mark.parametrize(
    "inputs",
    [
        torch.zeros(3),
        torch.zeros(4, 1),
        torch.zeros(2, 2, 3),
        torch.zeros(4, 2, dtype=torch.long),
        torch.zeros(4, 2, dtype=torch.bool),
        torch.zeros(4, 2, dtype=torch.complex64),
        torch.zeros(()),
        None,
    ],
)
def test_inputs_of_the_wrong_shape_or_kind_are_refused(exact, inputs):
    with pytest.raises(InputError, match="2"):
        exact(inputs)
