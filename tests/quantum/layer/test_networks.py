"""Networks without inputs, weights or either, and any observable."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Pauli, SparseObservable, SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN, SamplerQNN
from torch import nn

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import (
    QuantumLayer,
)
from tests.quantum.layer.networks import ESTIMATORS, gradients, network_on


def test_only_estimator_networks_with_dense_outputs_are_wrapped(make_network):
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("x"), 0)
    with pytest.raises(InputError, match="EstimatorQNN"):
        QuantumLayer(nn.Linear(2, 2))
    with pytest.raises(InputError, match="sparse"):
        QuantumLayer(make_network(), sparse=True)
    assert not issubclass(SamplerQNN, EstimatorQNN)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_network_without_inputs_trains_its_weights(kind):
    w = Parameter("w")
    circuit = QuantumCircuit(2)
    circuit.ry(w, 1)
    layer = QuantumLayer(network_on(circuit, kind, weights=[w]), np.array([0.4]))
    for inputs in (None, torch.zeros(0)):
        torch.testing.assert_close(layer(inputs), torch.tensor([1.0, np.cos(0.4)]).float())
    layer(None).sum().backward()
    assert float(layer.weight.grad) == pytest.approx(-np.sin(0.4), abs=1e-6)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("size", [1, 3])
def test_a_network_without_inputs_takes_a_batch_of_empty_rows(kind, size):
    w = Parameter("w")
    circuit = QuantumCircuit(1)
    circuit.ry(w, 0)
    layer = QuantumLayer(network_on(circuit, kind, weights=[w]), np.array([0.4]))
    torch.testing.assert_close(
        layer(torch.zeros(size, 0)), torch.full((size, 1), np.cos(0.4)).float()
    )


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_network_without_weights_passes_its_gradient_on(kind):
    x = Parameter("x")
    circuit = QuantumCircuit(1)
    circuit.ry(x, 0)
    layer = QuantumLayer(network_on(circuit, kind, inputs=[x]))
    assert layer.weight.shape == (0,)
    inputs = torch.tensor([[0.3], [1.2]], requires_grad=True)
    values = layer(inputs)
    torch.testing.assert_close(values, inputs.cos())
    values.sum().backward()
    torch.testing.assert_close(inputs.grad, -inputs.detach().sin())


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_network_without_any_parameter_is_a_constant(kind):
    circuit = QuantumCircuit(2)
    circuit.x(1)
    layer = QuantumLayer(network_on(circuit, kind))
    torch.testing.assert_close(layer(), torch.tensor([1.0, -1.0]))


def test_inputs_and_weights_are_in_the_networks_order_not_the_alphabets(weights):
    z, a = Parameter("z"), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(z, 0)
    circuit.ry(a, 1)
    inputs = torch.tensor([[0.1, 1.5]])
    for kind in ESTIMATORS:
        layer = QuantumLayer(network_on(circuit, kind, inputs=[z, a]))
        torch.testing.assert_close(layer(inputs), inputs.cos(), msg=kind)
        mixed = QuantumLayer(network_on(circuit, kind, inputs=[z], weights=[a]), np.array([1.5]))
        torch.testing.assert_close(mixed(inputs[:, :1]), inputs.cos(), msg=kind)


@pytest.mark.parametrize(
    "observable", [SparsePauliOp("ZX"), Pauli("ZX"), "ZX", SparseObservable("ZX")], ids=type
)
def test_every_kind_of_observable_that_an_estimator_takes(observable):
    x = Parameter("x")
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.ry(x, 1)
    inputs = torch.tensor([[0.4], [1.3]])
    for kind, estimator in ESTIMATORS.items():
        network = EstimatorQNN(
            circuit=circuit,
            observables=[observable],
            input_params=[x],
            estimator=estimator(),
            input_gradients=True,
            default_precision=0.0,
        )
        torch.testing.assert_close(QuantumLayer(network)(inputs), inputs.cos(), msg=kind)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("label", ["Z", "ZZZ"])
def test_an_observable_of_another_width_is_refused(kind, label):
    x = Parameter("x")
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.ry(x, 1)
    network = EstimatorQNN(
        circuit=circuit,
        observables=[SparsePauliOp(label)],
        input_params=[x],
        estimator=ESTIMATORS[kind](),
    )
    with pytest.raises(ValueError, match="qubit"):
        QuantumLayer(network)(torch.zeros(1, 1))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_network_on_a_transpiled_circuit_gives_the_same(
    make_network, weights, double, rows, kind
):
    network = make_network()
    backend = GenericBackendV2(5, coupling_map=[[i, i + 1] for i in range(4)], seed=3)
    isa = transpile(network.circuit, backend, optimization_level=2, seed_transpiler=5)
    mapped = EstimatorQNN(
        circuit=isa,
        estimator=ESTIMATORS[kind](),
        observables=[o.apply_layout(isa.layout) for o in network.observables],
        input_params=network.input_params,
        weight_params=network.weight_params,
        input_gradients=True,
        default_precision=0.0,
    )
    layer = QuantumLayer(mapped, initial_weights=weights).double()
    for mine, theirs in zip(gradients(layer, rows), gradients(double, rows), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-8, rtol=0)
