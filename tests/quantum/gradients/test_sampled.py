"""Gradients of a layer on an estimator that samples: unbiased, with true errors, pruned."""

import copy

import numpy as np
import pytest
import torch
from qiskit.primitives import StatevectorEstimator
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.errors import CircuitError, InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient, TorchEstimator

ROWS = torch.as_tensor(np.random.default_rng(3).uniform(-2, 2, (3, 2)))


@pytest.fixture
def layer(make_network, weights):
    return QuantumLayer(make_network(), initial_weights=weights)


def gradients(layer):
    rows = ROWS.clone().requires_grad_()
    layer.weight.grad = None
    layer(rows).square().sum().backward()
    return rows.grad, layer.weight.grad.double().clone()


def test_the_parameter_shift_on_another_estimator_is_the_exact_gradient(layer):
    exact = gradients(layer)
    with layer.run_on(QMLEstimator(), "param_shift"):
        found = gradients(layer)
    for one, other in zip(exact, found, strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-5)
    assert layer.skipped is None


def test_spsa_points_uphill_and_its_mean_is_the_gradient(layer):
    exact = gradients(layer)[1]
    many = SampledGradient("spsa", epsilon=1e-3, samples=2000, seed=1)
    with layer.run_on(QMLEstimator(), many):
        found = gradients(layer)[1]
    assert torch.linalg.vector_norm(found - exact) < 0.15 * torch.linalg.vector_norm(exact)


def test_directions_are_those_of_their_seed(layer):
    with layer.run_on(QMLEstimator(), SampledGradient("spsa", seed=1)):
        drawn = []
        for seed in ((5, 1), (5, 2), (5, 1)):
            layer.reseed(*seed)
            drawn.append(gradients(layer)[1])
    torch.testing.assert_close(drawn[0], drawn[2], atol=0, rtol=0)
    assert not torch.equal(drawn[0], drawn[1])
    layer.reseed(1)  # nothing to reseed where nothing samples


@pytest.mark.slow
@pytest.mark.parametrize("method", ["param_shift", "spsa"])
def test_stated_variances_are_those_of_repeated_sampling(make_network, method):
    """Over 200 seeds, within the scatter that a χ² of 199 degrees of freedom has."""
    network = make_network()
    circuit, observables = network.circuit, list(network.observables)
    values = np.random.default_rng(2).uniform(-1, 1, circuit.num_parameters)
    found, stated = [], []
    for seed in range(200):
        estimator = TorchEstimator(default_precision=0.05, seed=seed)
        made = SampledGradient(method, seed=7).through(estimator).gradient
        size = len(observables)
        result = made.run([circuit] * size, observables, [values] * size).result()
        found.append(np.stack(result.gradients))
        stated.append(np.stack(result.variances))
    ratio = np.var(found, axis=0, ddof=1) / np.mean(stated, axis=0)
    assert 0.6 < ratio.min() and ratio.max() < 1.6


def test_what_is_below_its_error_is_skipped_and_counted(layer):
    exact = gradients(layer)[1]
    with layer.run_on(StatevectorEstimator(seed=1), SampledGradient(prune=True)):
        kept = gradients(layer)[1]
        assert layer.skipped.all == len(exact) and layer.skipped.skipped == 0
        assert layer.skipped.fraction == 0
    torch.testing.assert_close(kept, exact, atol=1e-5, rtol=1e-5)
    noisy = TorchEstimator(default_precision=1e3)
    fine, rough = [], []
    with layer.run_on(noisy, SampledGradient(prune=True)):
        for _ in range(10):
            rough.append(gradients(layer)[1])
        skipped = layer.skipped
    with layer.run_on(noisy, SampledGradient()):
        fine.append(gradients(layer)[1])
    assert skipped.all == 10 * len(exact)
    # two thirds of errors are below one standard error; products with values spread them out
    assert 0.2 < skipped.fraction < 1
    assert sum(int((one == 0).sum()) for one in rough) == skipped.skipped
    assert bool((fine[0] != 0).all())


def test_without_a_gradient_backward_says_what_to_ask_for(layer):
    with layer.run_on(StatevectorEstimator()):
        values = layer(ROWS)
        with pytest.raises(CircuitError, match="gradient='param_shift'"):
            values.sum().backward()


def test_the_gradient_ends_with_the_estimator(layer):
    with layer.run_on(QMLEstimator(), "param_shift"):
        with layer.run_on(QMLEstimator()), pytest.raises(CircuitError):
            layer(ROWS).sum().backward()
        gradients(layer)
    gradients(layer)


def test_a_copy_samples_on(layer):
    layer.run_on(QMLEstimator(), "param_shift")
    for one, other in zip(gradients(layer), gradients(copy.deepcopy(layer)), strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)


def test_what_can_not_be_computed_is_refused(layer):
    with pytest.raises(UnknownNameError, match="param_shift"):
        layer.run_on(QMLEstimator(), "param_shfit")
    with pytest.raises(InputError, match="prune"):
        SampledGradient("spsa", prune=True)
    for options in ({"samples": 0}, {"epsilon": 0.0}, {"epsilon": float("nan")}):
        with pytest.raises(InputError, match="positive"):
            SampledGradient("spsa", **options)
