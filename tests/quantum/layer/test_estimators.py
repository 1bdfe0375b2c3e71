"""Whose values and gradients a layer gives."""

import warnings

import numpy as np
import pytest
import torch
from qiskit.primitives import StatevectorEstimator
from qiskit_machine_learning.gradients import (
    ParamShiftEstimatorGradient,
    SPSAEstimatorGradient,
)
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.quantum import (
    QuantumLayer,
    TorchEstimator,
)
from tests.quantum.layer.networks import gradients


@pytest.mark.parametrize("shape", [(0, 2), (2, 0, 2)])
def test_an_empty_batch_is_no_job_for_another_estimator(make_network, counting, shape):
    layer = QuantumLayer(make_network(estimator=counting))
    with torch.no_grad():
        assert layer(torch.zeros(shape)).shape == (*shape[:-1], 4)
    assert counting.calls == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_other_estimators_get_every_dtype_too(make_network, weights, rows, dtype):
    layer = QuantumLayer(make_network(estimator=QMLEstimator()), initial_weights=weights)
    values, input_gradient, weight_gradient = gradients(layer, rows.to(dtype))
    assert values.dtype == input_gradient.dtype == dtype
    assert weight_gradient.dtype == torch.float32


def test_the_estimators_double_precision_holds_for_single_precision_inputs(make_network, weights):
    network = make_network(estimator=TorchEstimator(dtype="complex128"))
    layer = QuantumLayer(network, initial_weights=weights)
    inputs = torch.randn(4, 2)
    exact64 = QuantumLayer(make_network(), initial_weights=weights).double()
    with torch.no_grad():
        exact64.weight.copy_(layer.weight)
    torch.testing.assert_close(
        layer(inputs), exact64(inputs.double()).float(), atol=1e-7, rtol=1e-7
    )
    assert layer(inputs).dtype == torch.float32


@pytest.mark.parametrize("estimator", [StatevectorEstimator, QMLEstimator])
def test_other_exact_estimators_give_the_same_values_and_gradients(
    make_network, weights, rows, double, estimator
):
    other = QuantumLayer(make_network(estimator=estimator()), initial_weights=weights).double()
    fast = gradients(double, rows)
    for mine, theirs in zip(fast, gradients(other, rows), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=0)


def test_another_estimator_is_really_called_with_one_merged_pub(
    make_network, weights, rows, double, counting
):
    layer = QuantumLayer(make_network(estimator=counting), initial_weights=weights).double()
    with torch.no_grad():
        values = layer(rows.reshape(5, 1, 2))
    assert len(counting.calls) == 1
    pubs, precision = counting.calls[0]
    assert precision == 0.0
    assert len(pubs) == 1
    _, observables, bindings = pubs[0]
    assert [len(column) for column in observables] == [1, 1, 1, 1]
    assert bindings.shape == (5,)
    torch.testing.assert_close(values[:, 0], double(rows).detach(), atol=1e-5, rtol=0)


def test_gradients_call_the_networks_own_estimator(make_network, weights, rows, counting):
    layer = QuantumLayer(make_network(estimator=counting), initial_weights=weights)
    values = layer(rows[:1].requires_grad_())
    forward_calls = len(counting.calls)
    values.sum().backward()
    assert forward_calls == 1
    assert len(counting.calls) > forward_calls


def test_the_networks_precision_is_asked_of_another_estimator(
    make_network, counting_statevector, rows
):
    network = make_network(estimator=counting_statevector, default_precision=0.25)
    with torch.no_grad():
        QuantumLayer(network)(rows)
    assert counting_statevector.calls[0][1] == 0.25


def test_the_networks_precision_does_not_make_the_exact_estimator_sample(
    make_network, weights, rows, double
):
    layer = QuantumLayer(make_network(default_precision=0.25), initial_weights=weights).double()
    torch.testing.assert_close(layer(rows), double(rows), atol=0, rtol=0)


def test_a_sampling_torch_estimator_samples(make_network, weights, double):
    estimator = TorchEstimator(default_precision=0.1, seed=2)
    network = make_network(estimator=estimator, default_precision=0.1)
    layer = QuantumLayer(network, initial_weights=weights).double()
    inputs = torch.tensor([[0.3, -0.8]], dtype=torch.float64).expand(3000, 2)
    with torch.no_grad():
        errors = layer(inputs) - double(inputs[:1])
    assert errors.std(0).numpy() == pytest.approx(np.full(4, 0.1), rel=0.08)
    assert errors.mean(0).numpy() == pytest.approx(np.zeros(4), abs=0.01)


class ConstantGradient(ParamShiftEstimatorGradient):
    """Counts its calls and answers with the number 7."""

    calls = 0

    def _run(self, circuits, observables, parameter_values, parameters, **options):
        self.calls += 1
        result = super()._run(circuits, observables, parameter_values, parameters, **options)
        result.gradients[:] = [np.full_like(g, 7.0) for g in result.gradients]
        return result


@pytest.mark.parametrize("estimator", [TorchEstimator, StatevectorEstimator])
def test_a_custom_gradient_is_used(make_network, weights, rows, estimator):
    gradient = ConstantGradient(StatevectorEstimator())
    network = make_network(estimator=estimator(), gradient=gradient)
    layer = QuantumLayer(network, initial_weights=weights)
    outer = torch.ones(5, 4, dtype=torch.float64)
    _, input_gradient, weight_gradient = gradients(layer, rows, outer)
    assert gradient.calls == 1
    torch.testing.assert_close(input_gradient, torch.full((5, 2), 28.0, dtype=torch.float64))
    torch.testing.assert_close(weight_gradient, torch.full((3,), 140.0))


def test_a_custom_gradient_leaves_the_exact_forward_pass_exact(make_network, weights, rows, double):
    # 1/64 is the precision that EstimatorQNN has when nobody chooses one
    network = make_network(
        gradient=SPSAEstimatorGradient(StatevectorEstimator(), 0.1), default_precision=1 / 64
    )
    layer = QuantumLayer(network, initial_weights=weights)
    torch.testing.assert_close(layer(rows), double(rows), atol=1e-5, rtol=0)


def test_a_default_kind_of_gradient_on_its_own_estimator_calls_that_estimator(
    make_network, weights, rows, counting_statevector
):
    network = make_network(gradient=ParamShiftEstimatorGradient(counting_statevector))
    layer = QuantumLayer(network, initial_weights=weights)
    layer(rows).sum().backward()
    assert counting_statevector.calls


def test_an_estimator_exchanged_in_the_network_is_the_one_that_runs(
    make_network, counting_statevector, rows
):
    network = make_network()
    layer = QuantumLayer(network)
    layer(rows)
    network.estimator = counting_statevector
    assert layer.active_estimator is counting_statevector
    with torch.no_grad():
        layer(rows)
    assert len(counting_statevector.calls) == 1


def test_without_input_gradients_the_layer_warns_once_and_cuts(make_network, weights, rows):
    layer = QuantumLayer(make_network(input_gradients=False), initial_weights=weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(rows)
    inputs = rows.clone().requires_grad_()
    with pytest.warns(UserWarning, match="input_gradients=True"):
        values = layer(inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = values + layer(inputs)
    values.sum().backward()
    assert inputs.grad is None
    assert layer.weight.grad.any()


def test_without_input_gradients_other_estimators_train_their_weights(
    make_network, weights, rows, double
):
    network = make_network(input_gradients=False, estimator=StatevectorEstimator())
    layer = QuantumLayer(network, initial_weights=weights).double()
    outer = torch.linspace(-1, 2, 20, dtype=torch.float64).reshape(5, 4)
    (layer(rows) * outer).sum().backward()
    expected = gradients(double, rows, outer)[2]
    torch.testing.assert_close(layer.weight.grad, expected, atol=1e-9, rtol=0)
