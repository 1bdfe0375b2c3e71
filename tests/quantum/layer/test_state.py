"""What a layer keeps: weights, copies, stored states."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.neural_networks import EstimatorQNN
from qiskit_machine_learning.primitives import QMLEstimator
from torch import nn

from qvlm_qiskit.quantum import (
    QuantumLayer,
    TorchEstimator,
)
from tests.quantum.layer.networks import gradients, network_on


def test_the_state_has_the_one_key_weight(exact, weights):
    assert list(exact.state_dict()) == ["weight"]
    assert [n for n, _ in exact.named_parameters()] == ["weight"]
    np.testing.assert_allclose(exact.weight.detach().numpy(), weights, rtol=1e-6)


@pytest.mark.parametrize("nested", [False, True])
def test_the_state_of_a_stock_connector_loads(make_network, weights, nested):
    stock = TorchConnector(make_network(estimator=QMLEstimator()), initial_weights=weights)
    ours = QuantumLayer(make_network())
    if nested:
        stock, ours = nn.Sequential(nn.Identity(), stock), nn.Sequential(nn.Identity(), ours)
    state = stock.state_dict()
    assert len(state) == 2
    ours.load_state_dict(state)
    layer = ours[1] if nested else ours
    np.testing.assert_allclose(layer.weight.detach().numpy(), weights, rtol=1e-6)
    assert len(state) == 2


def test_a_state_with_a_missing_or_strange_key_is_refused(exact):
    with pytest.raises(RuntimeError, match="Missing"):
        exact.load_state_dict(OrderedDict())
    with pytest.raises(RuntimeError, match="Unexpected"):
        exact.load_state_dict({**exact.state_dict(), "other": torch.zeros(1)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        exact.load_state_dict({"weight": torch.zeros(2)})


def test_our_state_loads_into_a_stock_connector(make_network, exact, weights):
    stock = TorchConnector(make_network(estimator=QMLEstimator()))
    stock.load_state_dict(exact.state_dict(), strict=False)
    np.testing.assert_allclose(stock.weight.detach().numpy(), weights, rtol=1e-6)


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
    ids=["deepcopy", "pickle"],
)
def test_copies_are_equal_and_independent(exact, rows, duplicate, used):
    if used:
        exact(rows)
    twin_layer = duplicate(exact)
    torch.testing.assert_close(twin_layer(rows), exact(rows), atol=0, rtol=0)
    with torch.no_grad():
        twin_layer.weight.add_(1)
    assert not torch.allclose(twin_layer(rows), exact(rows))
    values = gradients(twin_layer, rows)
    assert values[2].any()


def test_a_used_layer_with_expressions_of_its_parameters_can_be_pickled():
    x, w = Parameter("x"), Parameter("w")
    circuit = QuantumCircuit(1)
    circuit.ry(x * w, 0)
    circuit.rx(x.sin(), 0)
    layer = QuantumLayer(network_on(circuit, "fast", inputs=[x], weights=[w]))
    inputs = torch.tensor([[0.3], [1.2]])
    values = layer(inputs)
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        torch.testing.assert_close(other(inputs), values, atol=0, rtol=0)


def test_the_whole_layer_and_its_state_can_be_saved(exact, rows, tmp_path):
    torch.save(exact, tmp_path / "layer.pt")
    loaded = torch.load(tmp_path / "layer.pt", weights_only=False)
    torch.testing.assert_close(loaded(rows), exact(rows), atol=0, rtol=0)
    torch.save(exact.state_dict(), tmp_path / "state.pt")
    with torch.no_grad():
        loaded.weight.zero_()
    loaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    torch.testing.assert_close(loaded(rows), exact(rows), atol=0, rtol=0)


def test_the_weights_can_be_exchanged_from_outside(exact, rows):
    state = {"weight": torch.zeros(3)}
    replaced = torch.func.functional_call(exact, state, rows)
    exact.weight = nn.Parameter(torch.zeros(3))
    torch.testing.assert_close(exact(rows), replaced)


def test_an_optimiser_step_changes_the_next_forward_pass(exact, rows):
    optimiser = torch.optim.SGD(exact.parameters(), lr=0.1)
    before = exact(rows).sum()
    before.backward()
    optimiser.step()
    assert exact(rows).sum() < before


def test_training_works_after_a_first_evaluation_in_inference_mode(exact, rows):
    with torch.inference_mode():
        exact(rows)
    values = gradients(exact, rows)
    assert torch.isfinite(values[2]).all()


def test_default_weights_are_uniform_between_minus_one_and_one():
    w = ParameterVector("w", 200)
    circuit = QuantumCircuit(1)
    for angle in w:
        circuit.rx(angle, 0)
    network = EstimatorQNN(circuit=circuit, weight_params=list(w), estimator=TorchEstimator())
    weight = QuantumLayer(network).weight.detach()
    assert weight.dtype == torch.float32
    assert -1 <= float(weight.min()) < -0.8 < 0.8 < float(weight.max()) <= 1
