"""What code written for EstimatorQNN and TorchConnector relies on, with our classes instead."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import real_amplitudes, z_feature_map, zz_feature_map
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_machine_learning import QiskitMachineLearningError
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
from qiskit_machine_learning.neural_networks import EstimatorQNN
from qiskit_machine_learning.primitives import QMLEstimator
from torch import nn

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import (
    BatchedEstimatorGradient,
    QuantumLayer,
    TorchEstimator,
    make_qnn,
    z_observables,
)
from tests.parameters import first_by_default

ROWS = np.random.default_rng(0).uniform(-2, 2, (4, 2))


def feature_map_network(num_qubits=2, observables=None, estimator=None, **options):
    """A feature map of two repetitions, with its products of inputs, and an ansatz of RY and CX."""
    features = zz_feature_map(num_qubits) if num_qubits > 1 else z_feature_map(1)
    ansatz = real_amplitudes(num_qubits, reps=1)
    circuit = features.compose(ansatz)
    options = {"input_gradients": True, "default_precision": 0.0, **options}
    return EstimatorQNN(
        circuit=circuit,
        estimator=TorchEstimator(dtype="complex128") if estimator is None else estimator,
        observables=observables,
        input_params=list(features.parameters),
        weight_params=list(ansatz.parameters),
        **options,
    )


ZZ = SparsePauliOp("ZZ")
OBSERVABLES = {
    "default, one qubit": (1, None),
    "default": (2, None),
    "one, not in a list": (2, SparsePauliOp(["ZZ", "XY"], [1.0, -0.5])),
    "several": (2, [SparsePauliOp("ZI"), SparsePauliOp("IX", 2.0), ZZ]),
}


@pytest.mark.parametrize("method", ["default", "param_shift", "adjoint"])
@pytest.mark.parametrize("name", first_by_default(*OBSERVABLES, count=2))
def test_network_and_layer_give_what_the_stock_pair_gives(name, method):
    num_qubits, observables = OBSERVABLES[name]
    stock = feature_map_network(num_qubits, observables, QMLEstimator())
    estimator = TorchEstimator(dtype="complex128")
    chosen = None if method == "default" else BatchedEstimatorGradient(estimator, method)
    ours = feature_map_network(num_qubits, observables, estimator, gradient=chosen)
    rows, weights = ROWS[:, :num_qubits], np.linspace(-1, 1.5, ours.num_weights)
    np.testing.assert_allclose(
        ours.forward(rows, weights), stock.forward(rows, weights), atol=1e-10
    )
    expected = stock.backward(rows, weights)
    for mine, theirs in zip(ours.backward(rows, weights), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-10)

    layer = QuantumLayer(ours, weights).double()
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weights))
    inputs = torch.as_tensor(rows).requires_grad_()
    outer = torch.as_tensor(np.random.default_rng(1).normal(size=(4, *ours.output_shape)))
    values = layer(inputs)
    (values * outer).sum().backward()
    np.testing.assert_allclose(values.detach(), stock.forward(rows, weights), atol=1e-10)
    np.testing.assert_allclose(inputs.grad, np.einsum("bo,boi->bi", outer, expected[0]), atol=1e-10)
    np.testing.assert_allclose(
        layer.weight.grad, np.einsum("bo,bow->w", outer, expected[1]), atol=1e-10
    )


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [TorchEstimator, StatevectorEstimator])
def test_samples_one_by_one_train_like_a_batch_between_linear_layers(make_network, estimator):
    torch.manual_seed(3)
    layer = QuantumLayer(make_network(estimator=estimator()), np.full(3, 0.1))
    model = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), layer, nn.Linear(4, 1))
    x, y = torch.rand(5, 4), torch.rand(5, 1)
    gradients = []
    for losses in (
        [(model(a) - b).pow(2).sum() for a, b in zip(x, y, strict=True)],
        [(model(x) - y).pow(2).sum()],
    ):
        model.zero_grad()
        sum(losses).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for alone, batched in zip(*gradients, strict=True):
        torch.testing.assert_close(alone, batched, atol=1e-5, rtol=1e-5)
        assert batched.abs().sum() > 0


@pytest.mark.parametrize("shape", [(3,), (4, 1), (2, 2, 3), ()])
def test_inputs_that_torch_connector_refuses_are_refused_with_its_error(make_network, shape):
    for kind, estimator in {TorchConnector: QMLEstimator, QuantumLayer: TorchEstimator}.items():
        layer = kind(make_network(estimator=estimator()))
        if shape or kind is QuantumLayer:  # the stock connector fails on a number with IndexError
            with pytest.raises(QiskitMachineLearningError):
                layer(torch.zeros(shape))
    with pytest.raises(InputError) as caught:
        layer(torch.zeros(4, 1))
    assert str(caught.value).startswith("expected a float tensor (…, 2), got float32 (4, 1)")


def test_sparse_output_is_refused_with_the_error_of_torch_connector(make_network):
    for kind in (TorchConnector, QuantumLayer):
        with pytest.raises(QiskitMachineLearningError):
            kind(make_network(), sparse=True)
    assert QuantumLayer(make_network()).sparse is False


def transpiled(level=2, width=6):
    """A two-qubit network's parts on a line of six qubits, the layout not the trivial one."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.rx(x[1] * w[0], 1)
    circuit.ry(0.4, 2)
    circuit.crx(w[1], 0, 2)
    circuit.rzz(2 * w[0], 1, 0)
    circuit.h(1)
    backend = GenericBackendV2(width, coupling_map=[[i, i + 1] for i in range(width - 1)], seed=3)
    manager = generate_preset_pass_manager(
        level, backend=backend, initial_layout=[4, 1, 3], seed_transpiler=2
    )
    return circuit, list(x), list(w), manager


LAYOUT_ESTIMATORS = {
    "fast": lambda: TorchEstimator(dtype="complex128"),
    "primitive": StatevectorEstimator,
}


@pytest.mark.parametrize("gradient", first_by_default("param_shift", "default", "adjoint"))
@pytest.mark.parametrize("kind", LAYOUT_ESTIMATORS)
@pytest.mark.parametrize("observables", ["default", "explicit"])
@pytest.mark.parametrize(
    "level",
    [*(pytest.param(level, marks=pytest.mark.slow) for level in (0, 1, 2)), 3],
)
def test_observables_under_a_layout_with_idle_qubits(observables, kind, gradient, level):
    circuit, x, w, manager = transpiled(level)
    isa = manager.run(circuit)
    assert isa.layout.initial_index_layout()[:3] == [4, 1, 3]
    terms = [SparsePauliOp(["IXY", "ZIZ"], [0.5, -2.0]), SparsePauliOp("IIZ")]
    estimator = LAYOUT_ESTIMATORS[kind]()
    options = {"input_params": x, "weight_params": w, "input_gradients": True}
    options["default_precision"] = 0.0
    stock = EstimatorQNN(
        circuit=circuit,
        estimator=QMLEstimator(),
        # make_qnn's default is Z of every qubit of the circuit before it was laid out
        observables=z_observables(3) if observables == "default" else terms,
        **options,
    )
    mapped = [o.apply_layout(isa.layout) for o in terms]
    if observables == "default":
        mapped = make_qnn(isa, x, w).observables
    ours = QuantumLayer(
        EstimatorQNN(
            circuit=isa,
            estimator=estimator,
            observables=mapped,
            gradient=None
            if gradient == "default"
            else BatchedEstimatorGradient(estimator, gradient),
            **options,
        )
    )
    weights = ours.weight.detach().double().numpy()
    inputs = torch.as_tensor(ROWS).requires_grad_()
    values = ours(inputs)
    values.sum().backward()
    expected = stock.backward(ROWS, weights)
    np.testing.assert_allclose(values.detach(), stock.forward(ROWS, weights), atol=1e-8)
    np.testing.assert_allclose(inputs.grad, expected[0].sum(axis=1), atol=1e-8)
    np.testing.assert_allclose(ours.weight.grad, expected[1].sum(axis=(0, 1)), atol=1e-5)


def test_the_stock_default_observable_on_moved_qubits_gets_a_warning():
    circuit, x, w, manager = transpiled()
    options = {"input_params": x, "weight_params": w, "estimator": TorchEstimator()}
    with pytest.warns(UserWarning, match="ignores the circuit's layout"):
        QuantumLayer(EstimatorQNN(circuit=manager.run(circuit), **options))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        QuantumLayer(EstimatorQNN(circuit=circuit, **options))
        QuantumLayer(make_qnn(manager.run(circuit), x, w))


@pytest.mark.parametrize("kind", LAYOUT_ESTIMATORS)
def test_a_networks_pass_manager_is_followed(kind):
    circuit, x, w, manager = transpiled()
    options = {"input_params": x, "weight_params": w, "input_gradients": True}
    stock = EstimatorQNN(
        circuit=circuit, estimator=QMLEstimator(), observables=SparsePauliOp("ZZZ"), **options
    )
    ours = QuantumLayer(
        EstimatorQNN(
            circuit=circuit,
            estimator=LAYOUT_ESTIMATORS[kind](),
            observables=SparsePauliOp("ZZZ").apply_layout(manager.run(circuit).layout),
            pass_manager=manager,
            default_precision=0.0,
            gradient=BatchedEstimatorGradient(LAYOUT_ESTIMATORS[kind](), "param_shift"),
            **options,
        ),
        np.array([0.3, 0.8]),
    ).double()
    inputs = torch.as_tensor(ROWS).requires_grad_()
    ours(inputs).sum().backward()
    expected = stock.backward(ROWS, ours.weight.detach().numpy())
    np.testing.assert_allclose(inputs.grad, expected[0].sum(axis=1), atol=1e-8)


@pytest.mark.parametrize("chosen", ["default gradient", "batched", "batched with its own"])
def test_the_networks_precision_reaches_values_and_gradients(
    make_network, weights, counting_statevector, chosen
):
    options = {"precision": 0.125} if chosen == "batched with its own" else {}
    gradient = BatchedEstimatorGradient(counting_statevector, **options)
    network = make_network(
        estimator=counting_statevector,
        gradient=None if chosen == "default gradient" else gradient,
        default_precision=0.25,
    )
    QuantumLayer(network, weights)(torch.zeros(2, 2, requires_grad=True)).sum().backward()
    wanted = options.get("precision", 0.25)
    assert [precision for _, precision in counting_statevector.calls] == [0.25, wanted]
    assert [len(pubs) for pubs, _ in counting_statevector.calls] == [1, 1]


@pytest.mark.slow
def test_gradients_have_the_spread_that_their_precision_promises(make_network, weights):
    precision, size = 0.05, 250
    network = make_network(estimator=StatevectorEstimator(seed=3), default_precision=precision)
    layer = QuantumLayer(network, weights)
    exact = QuantumLayer(make_network(), weights)
    inputs = torch.tensor([[0.3, -0.8]]).expand(size, 2) + torch.arange(size)[:, None] * 1e-6
    found = []
    for module in (layer, exact):
        rows = inputs.clone().requires_grad_()
        module(rows)[:, 1].sum().backward()  # ⟨Z⟩ of qubit 1: x1 enters once, with two terms
        found.append(rows.grad[:, 1])
    errors = found[0] - found[1]
    assert float(errors.std()) == pytest.approx(precision / 2**0.5, rel=0.15)
    assert abs(float(errors.mean())) < 4 * precision / 2**0.5 / size**0.5


def test_a_gradient_of_its_own_precision_serves_the_network_without_a_layer(
    make_network, weights, counting_statevector
):
    gradient = BatchedEstimatorGradient(counting_statevector, precision=0.125)
    network = make_network(estimator=QMLEstimator(), gradient=gradient, default_precision=0.25)
    network.backward(ROWS, weights)
    assert [precision for _, precision in counting_statevector.calls] == [0.125]


@pytest.mark.slow
def test_the_shots_of_a_backend_reach_the_gradient(make_network, weights):
    """A network whose precision is that of so many shots asks for so many, both ways."""
    backend = open_backend("aer", shots=400, seed=5)
    layer = QuantumLayer(
        make_network(estimator=backend.estimator(), default_precision=400**-0.5), weights
    )
    inputs = torch.zeros(300, 2) + torch.arange(300)[:, None] * 1e-6
    found = []
    for module in (layer, QuantumLayer(make_network(), weights)):
        rows = inputs.clone().requires_grad_()
        module(rows)[:, 1].sum().backward()
        found.append(rows.grad[:, 1])
    spread = float((found[0] - found[1]).std())
    # the standard error of a mean of n values of ±1 is at most 1/√n; the shift is by π/2
    assert 0.3 / 20 < spread < 1.2 / 20


def test_only_the_derivatives_that_are_needed_are_sent(make_network, weights, counting_statevector):
    layer = QuantumLayer(make_network(estimator=counting_statevector), weights)

    def rows_sent(inputs):
        values = layer(inputs).sum()
        counting_statevector.calls.clear()
        values.backward()
        pubs = [pub for called, _ in counting_statevector.calls for pub in called]
        return sum(
            int(np.prod(EstimatorPub.coerce(pub, 0.0).parameter_values.shape)) for pub in pubs
        )

    weights_only = rows_sent(torch.ones(2, 2))
    both = rows_sent(torch.ones(2, 2, requires_grad=True))
    layer.weight.requires_grad_(False)
    inputs_only = rows_sent(torch.ones(2, 2, requires_grad=True))
    assert 0 < inputs_only < both
    assert 0 < weights_only < both
    assert weights_only + inputs_only == both


def test_the_default_gradient_follows_an_exchanged_estimator(make_network, weights):
    network = make_network(estimator=QMLEstimator())
    layer = QuantumLayer(network, weights)
    first = layer.gradient
    assert isinstance(first, BatchedEstimatorGradient)
    assert layer.gradient is first
    network.estimator = StatevectorEstimator()
    # the network's gradient is now somebody's own choice: it belongs to another estimator
    assert layer.gradient is network.gradient
    network.gradient = ParamShiftEstimatorGradient(network.estimator)
    assert layer.gradient is not first
    assert layer.gradient._estimator is network.estimator


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_layer_that_was_trained_through_a_primitive(make_network, weights, duplicate):
    layer = QuantumLayer(make_network(estimator=StatevectorEstimator()), weights)
    inputs = torch.as_tensor(ROWS)
    layer(inputs).sum().backward()
    other = duplicate(layer)
    other.zero_grad()
    other(inputs).sum().backward()
    torch.testing.assert_close(other.weight.grad, layer.weight.grad)
    assert other.gradient._estimator is other.neural_network.estimator
    assert other.gradient._estimator is not layer.neural_network.estimator


@pytest.mark.parametrize("estimator", [TorchEstimator, StatevectorEstimator])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_a_cut_gradient_is_a_warning_and_reaches_nothing(make_network, weights, estimator, dtype):
    network = make_network(estimator=estimator(), input_gradients=False)
    model = nn.Sequential(nn.Linear(2, 2, dtype=dtype), QuantumLayer(network, weights))
    with pytest.warns(UserWarning, match="input_gradients=True"):
        values = model(torch.as_tensor(ROWS).to(dtype))
    assert values.dtype == dtype
    values.sum().backward()
    assert model[0].weight.grad is None
    assert model[1].weight.grad.abs().min() > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("estimator", [TorchEstimator, StatevectorEstimator])
def test_everything_stays_on_the_device_of_the_inputs(make_network, weights, estimator):
    found = []
    for device in ("cpu", "cuda"):
        layer = QuantumLayer(make_network(estimator=estimator()), weights).to(device)
        inputs = torch.as_tensor(ROWS, dtype=torch.float32, device=device).requires_grad_()
        values = layer(inputs)
        values.sum().backward()
        tensors = (values, inputs.grad, layer.weight.grad)
        assert {t.device.type for t in tensors} == {device}
        found.append([t.detach().cpu() for t in tensors])
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(here, there, atol=1e-5, rtol=0)
