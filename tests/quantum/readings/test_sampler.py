"""What code written for SamplerQNN and TorchConnector relies on, with our layer instead."""

import copy
import pickle
from unittest import mock

import numpy as np
import pytest
import torch
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorSampler
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import SamplerV2 as AerSampler
from qiskit_machine_learning import QiskitMachineLearningError
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.gradients import LinCombSamplerGradient, ParamShiftSamplerGradient
from qiskit_machine_learning.neural_networks import SamplerQNN
from qiskit_machine_learning.primitives import QMLSampler
from torch import nn

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CircuitError, InputError
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator
from qvlm_qiskit.quantum.readings.sampler import SamplerEstimator

ROWS = np.random.default_rng(0).uniform(-2, 2, (3, 2))


def parity(outcome):
    return outcome.bit_count() % 2


def pair(outcome):
    return outcome % 2, outcome % 3


INTERPRETATIONS = {"none": {}, "one": {"interpret": parity, "output_shape": 2},
                   "two": {"interpret": pair, "output_shape": (2, 3)}}  # fmt: skip


def sampler_network(measured=None, **options):
    x, w = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.rx(x[1], 1)
    circuit.cx(0, 1)
    circuit.ry(w[0], 0)
    circuit.rx(w[1], 1)
    if measured is not None:
        circuit = measured(circuit)
    return SamplerQNN(
        circuit=circuit,
        input_params=list(x),
        weight_params=list(w),
        **{"input_gradients": True, **options},
    )


WEIGHTS = np.array([-1.0, 1.5])


def outputs_and_slopes(layer, rows=ROWS):
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(WEIGHTS))
    layer.zero_grad()
    inputs = torch.as_tensor(rows, dtype=torch.float32).requires_grad_()
    values = layer(inputs)
    values.square().sum().backward()
    return values.detach(), inputs.grad, layer.weight.grad


def stock_slopes(network):
    """The same of the network itself: the stock connector chains outputs of two axes wrongly."""
    rows = ROWS.astype(np.float32)
    values = network.forward(rows, WEIGHTS)
    by_inputs, by_weights = network.backward(rows, WEIGHTS)
    flat = values.reshape(3, -1)
    found = (
        values,
        np.einsum("bo,boi->bi", 2 * flat, by_inputs.reshape(*flat.shape, -1)),
        np.einsum("bo,bow->w", 2 * flat, by_weights.reshape(*flat.shape, -1)),
    )
    return [torch.as_tensor(part, dtype=torch.float32) for part in found]


SAMPLERS = {
    "default": lambda: None,
    "subclass": lambda: type("Other", (QMLSampler,), {})(),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", INTERPRETATIONS)
def test_the_layer_gives_what_the_stock_connector_gives(name, sampler):
    options = {"sampler": SAMPLERS[sampler](), **INTERPRETATIONS[name]}
    layer = QuantumLayer(sampler_network(**options))
    for ours, theirs in zip(
        outputs_and_slopes(layer), stock_slopes(sampler_network(**options)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-5)
    exact = type(layer.active_estimator) is TorchEstimator
    assert exact == (sampler == "default")


@pytest.mark.parametrize("shape", [(2,), (1, 2), (4, 2), (2, 3, 2)])
@pytest.mark.parametrize("name", INTERPRETATIONS)
def test_shapes_are_those_of_the_stock_connector(name, shape):
    networks = [sampler_network(**INTERPRETATIONS[name]) for _ in range(2)]
    rows = torch.rand(shape)
    stock, ours = TorchConnector(networks[0], WEIGHTS), QuantumLayer(networks[1], WEIGHTS)
    torch.testing.assert_close(ours(rows), stock(rows), atol=1e-6, rtol=0)


@pytest.mark.parametrize("make", [LinCombSamplerGradient, ParamShiftSamplerGradient])
def test_a_gradient_object_of_its_own_is_used(make):
    options = {"sampler": QMLSampler(), **INTERPRETATIONS["two"]}
    gradient = make(QMLSampler())
    layer = QuantumLayer(sampler_network(gradient=gradient, **options))
    with mock.patch.object(gradient, "run", wraps=gradient.run) as run:
        found = outputs_and_slopes(layer)
        outputs_and_slopes(layer)
    assert run.call_count == 2
    for ours, theirs in zip(found, stock_slopes(layer.neural_network.origin), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-5)


def measure_all(circuit):
    return circuit.measure_all(inplace=False)


def measure_crossed(circuit):
    circuit = circuit.copy()
    circuit.add_register(ClassicalRegister(2, "meas"))
    circuit.measure([0, 1], [1, 0])
    return circuit


def measure_one(circuit):
    circuit = circuit.copy()
    circuit.add_register(ClassicalRegister(1, "meas"))
    circuit.measure(1, 0)
    return circuit


@pytest.mark.parametrize("measured", [measure_all, measure_crossed, measure_one])
def test_the_circuits_own_measurements_say_what_is_read(measured):
    ours = outputs_and_slopes(QuantumLayer(sampler_network(measured)))
    for one, other in zip(ours, stock_slopes(sampler_network(measured)), strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=1e-5)


def test_a_networks_pass_manager_is_followed():
    device = GenericBackendV2(4, coupling_map=[[0, 1], [1, 2], [2, 3]], seed=1)
    manager = generate_preset_pass_manager(
        1, backend=device, initial_layout=[2, 0], seed_transpiler=3
    )
    plain = QuantumLayer(sampler_network(), WEIGHTS)(torch.as_tensor(ROWS))
    for sampler in (None, type("Other", (QMLSampler,), {})()):
        network = sampler_network(sampler=sampler, pass_manager=manager)
        found = QuantumLayer(network, WEIGHTS)(torch.as_tensor(ROWS))
        torch.testing.assert_close(found, plain, atol=1e-6, rtol=0)
        np.testing.assert_allclose(network.forward(ROWS, WEIGHTS), plain.detach(), atol=1e-6)


class CountingSampler(StatevectorSampler):
    calls = 0

    def run(self, pubs, *, shots=None):
        pubs = list(pubs)
        self.calls += 1
        assert len(pubs) == 1
        return super().run(pubs, shots=shots)


def test_shots_come_from_the_networks_sampler_one_pub_each_way():
    sampler = CountingSampler(default_shots=5_000, seed=1)
    exact = outputs_and_slopes(QuantumLayer(sampler_network(**INTERPRETATIONS["one"])))
    layer = QuantumLayer(sampler_network(sampler=sampler, **INTERPRETATIONS["one"]))
    found = outputs_and_slopes(layer)
    assert sampler.calls == 2
    counts = found[0] * 5_000
    torch.testing.assert_close(counts, counts.round(), atol=1e-2, rtol=0)
    torch.testing.assert_close(found[0], exact[0], atol=0.04, rtol=0)
    for one, other in zip(found[1:], exact[1:], strict=True):
        torch.testing.assert_close(one, other, atol=0.2, rtol=0)


def test_the_same_weights_run_on_a_backend():
    layer = QuantumLayer(sampler_network(), WEIGHTS)
    exact = layer(torch.as_tensor(ROWS)).detach()
    with layer.run_on(open_backend("aer", shots=4000, seed=2)), torch.no_grad():
        found = layer(torch.as_tensor(ROWS))
    assert 0 < float((found - exact).abs().max()) < 0.05
    torch.testing.assert_close(layer(torch.as_tensor(ROWS)).detach(), exact)


def test_input_gradients_are_those_of_the_network_that_was_given():
    network = sampler_network(input_gradients=False)
    layer = QuantumLayer(network, WEIGHTS)
    assert layer.neural_network.origin is network
    inputs = torch.as_tensor(ROWS).requires_grad_()
    with pytest.warns(UserWarning, match="input_gradients=False"):
        layer(inputs).square().sum().backward()
    assert inputs.grad is None
    network.input_gradients = True
    layer(inputs).square().sum().backward()
    assert bool(inputs.grad.any())


def test_a_model_trains_and_its_copies_go_on():
    torch.manual_seed(0)
    layer = QuantumLayer(sampler_network(**INTERPRETATIONS["one"]))
    model = nn.Sequential(nn.Linear(2, 2), layer)
    x = torch.rand(20, 2)
    y = (x.sum(1) > 1).long()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = nn.functional.nll_loss(model(x).log(), y)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    expected = model(x).detach()
    torch.testing.assert_close(copy.deepcopy(model)(x).detach(), expected)
    other = QuantumLayer(sampler_network(**INTERPRETATIONS["one"]))
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other(model[0](x)).detach(), expected)


def test_sparse_networks_and_outputs_are_refused_in_one_line():
    for arguments in ((sampler_network(), None, True), (sparse_network(), None, None)):
        with pytest.raises(QiskitMachineLearningError, match="dense outputs only") as caught:
            QuantumLayer(*arguments)
        assert isinstance(caught.value, InputError)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="an EstimatorQNN or SamplerQNN, got Linear"):
        QuantumLayer(nn.Linear(2, 2))


def sparse_network():
    network = sampler_network()
    network._sparse = True  # its own constructor wants a package that is not installed here
    return network


def test_a_sampler_as_an_estimator():
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.cx(0, 1)
    observable = SparsePauliOp(["ZI", "ZZ", "II"], [0.5, -1.0, 0.25])
    angles = np.array([0.3, 1.2, 2.5])
    wanted = 0.5 * np.cos(angles) - 0.75
    pub = (circuit, [[observable], ["II"]], angles[:, None])
    exact = SamplerEstimator(QMLSampler()).run([pub]).result()[0].data
    np.testing.assert_allclose(exact.evs, [wanted, np.ones(3)], atol=1e-12)
    assert not exact.stds.any()
    sampled = SamplerEstimator(StatevectorSampler(seed=2)).run([pub], precision=0.01).result()[0]
    assert sampled.metadata["shots"] == 10_000
    np.testing.assert_allclose(sampled.data.stds[0], 0.5 * np.sin(angles) / 100, rtol=0.1)
    assert (np.abs(sampled.data.evs[0] - wanted) < 5 * sampled.data.stds[0]).all()
    with pytest.raises(CircuitError, match="Z strings only"):
        SamplerEstimator(QMLSampler()).run([(circuit, "XX", [0.1])]).result()


def test_a_layer_with_a_sampler_survives_pickle():
    layer = QuantumLayer(sampler_network(), WEIGHTS)
    rows = torch.as_tensor(ROWS)
    other = pickle.loads(pickle.dumps(layer.neural_network.read))
    assert other.shape == (4,)
    torch.testing.assert_close(copy.deepcopy(layer)(rows), layer(rows))


def test_a_register_of_the_circuit_may_be_called_measured():
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(1, "measured"))
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    estimator = SamplerEstimator(AerSampler(seed=1))
    assert estimator.run([(circuit, "ZI")], precision=0.1).result()[0].data.evs == -1.0
