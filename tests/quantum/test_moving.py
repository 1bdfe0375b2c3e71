"""The promise of ``run_on``: the same weights on another estimator, of a layer and of a model."""

import copy

import numpy as np
import pytest
import torch
from qiskit.primitives import StatevectorEstimator
from torch import nn

from qvlm_qiskit.errors import CircuitError, InputError
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, run_on


@pytest.fixture
def layer(make_network, weights):
    return QuantumLayer(make_network(), initial_weights=weights)


@pytest.fixture
def rows():
    return torch.as_tensor(np.random.default_rng(0).uniform(-2, 2, (5, 2)))


class Backend:
    """What open_backend returns, as far as a layer is concerned."""

    def __init__(self, estimator):
        self.opened = 0
        self._estimator = estimator

    def estimator(self):
        self.opened += 1
        return self._estimator


def test_called_it_lasts(layer, rows, counting):
    before = layer(rows).detach()
    layer.run_on(counting)
    assert layer.active_estimator is counting
    with torch.no_grad():
        values = layer(rows)
    assert len(counting.calls) == 1
    torch.testing.assert_close(values, before, atol=1e-5, rtol=0)


def test_as_a_context_manager_it_ends(layer, rows, counting):
    own = layer.neural_network.estimator
    with layer.run_on(counting), torch.no_grad():
        layer(rows)
    assert layer.active_estimator is own
    layer(rows)
    assert len(counting.calls) == 1


def test_it_ends_after_an_error_too(layer, counting):
    own = layer.neural_network.estimator
    with pytest.raises(InputError), layer.run_on(counting):
        layer(torch.zeros(1, 3))
    assert layer.active_estimator is own


def test_nested_switches_end_one_by_one(layer, rows, counting_statevector):
    own = layer.neural_network.estimator
    outer, inner = TorchEstimator(), counting_statevector
    with layer.run_on(outer):
        with layer.run_on(inner):
            assert layer.active_estimator is inner
        assert layer.active_estimator is outer
    assert layer.active_estimator is own
    layer.run_on(outer)
    with layer.run_on(inner):
        pass
    assert layer.active_estimator is outer


def test_a_backend_is_opened_once(layer, rows, counting_statevector):
    backend = Backend(counting_statevector)
    with layer.run_on(backend), torch.no_grad():
        layer(rows)
        layer(rows)
    assert backend.opened == 1
    assert len(counting_statevector.calls) == 2


def test_all_layers_of_a_model_are_switched_and_weights_are_untouched(make_network, rows, counting):
    model = nn.ModuleList(
        [QuantumLayer(make_network()), nn.Sequential(QuantumLayer(make_network()))]
    )
    layers = [model[0], model[1][0]]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with run_on(model, counting), torch.no_grad():
        for one in layers:
            assert one.active_estimator is counting
            one(rows)
    assert len(counting.calls) == 2
    for one in layers:
        assert type(one.active_estimator) is TorchEstimator
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], atol=0, rtol=0)


def test_each_layer_gets_its_own_former_estimator_back(make_network, counting):
    first, second = QuantumLayer(make_network()), QuantumLayer(make_network())
    mine = StatevectorEstimator()
    first.run_on(mine)
    with run_on([first, second], counting):
        pass
    assert first.active_estimator is mine
    assert second.active_estimator is second.neural_network.estimator


def test_the_estimators_own_precision_counts(make_network, rows, counting_statevector):
    layer = QuantumLayer(make_network(default_precision=0.25))
    with layer.run_on(counting_statevector), torch.no_grad():
        layer(rows)
    assert counting_statevector.calls[0][1] is None


def test_a_sampling_torch_estimator_samples(layer):
    inputs = torch.rand(3000, 2, dtype=torch.float64)
    exact = layer(inputs).detach()
    with layer.run_on(TorchEstimator(default_precision=0.1, seed=4)), torch.no_grad():
        errors = layer(inputs) - exact
    assert errors.mean(0).numpy() == pytest.approx(np.zeros(4), abs=0.01)
    assert errors.std(0).numpy() == pytest.approx(np.full(4, 0.1), rel=0.08)


def test_equal_rows_are_sent_once_and_every_row_gets_its_own_values(layer, rows, counting):
    order = [3, 0, 3, 1, 0, 4, 2, 3]
    repeated = rows[order]
    exact = layer(repeated).detach()
    with layer.run_on(counting), torch.no_grad():
        values = layer(repeated.reshape(2, 4, 2))
    assert counting.calls[0][0][0][2].shape == (5,)
    torch.testing.assert_close(values.reshape(8, 4), exact, atol=1e-5, rtol=0)


@pytest.mark.parametrize("difference", [1e-4, 1e-8, 1e-15])
def test_rows_that_differ_are_all_sent(layer, rows, counting, difference):
    with layer.run_on(counting), torch.no_grad():
        layer(torch.cat([rows, rows + difference]))
    assert counting.calls[0][0][0][2].shape == (10,)


def test_the_networks_own_estimator_gets_every_row(make_network, rows, counting):
    with torch.no_grad():
        QuantumLayer(make_network(estimator=counting))(torch.cat([rows, rows]))
    assert counting.calls[0][0][0][2].shape == (10,)


def test_another_exact_torch_estimator_is_differentiated(layer, rows):
    layer(rows).sum().backward()
    expected = layer.weight.grad.clone()
    layer.zero_grad()
    with layer.run_on(TorchEstimator(dtype="complex128")):
        layer(rows).sum().backward()
    torch.testing.assert_close(layer.weight.grad, expected, atol=1e-5, rtol=0)


def test_gradients_elsewhere_are_refused_rather_than_taken_from_the_network(layer, rows, counting):
    with layer.run_on(counting):
        values = layer(rows)
        with pytest.raises(CircuitError, match="run_on"):
            values.sum().backward()


def test_values_from_elsewhere_have_no_gradient_of_the_network_afterwards(layer, rows, counting):
    with layer.run_on(counting):
        values = layer(rows)
    with pytest.raises(CircuitError, match="run_on"):
        values.sum().backward()


def test_what_is_no_estimator_is_refused(layer):
    own = layer.neural_network.estimator
    for nothing in ("aer", None, 3):
        with pytest.raises(InputError, match=type(nothing).__name__):
            layer.run_on(nothing)
    assert layer.active_estimator is own


def test_a_copy_keeps_the_switch_and_leaves_the_original_alone(layer, rows):
    layer.run_on(StatevectorEstimator())
    other = copy.deepcopy(layer)
    assert isinstance(other.active_estimator, StatevectorEstimator)
    other.run_on(TorchEstimator())
    assert isinstance(layer.active_estimator, StatevectorEstimator)
