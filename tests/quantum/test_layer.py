import copy
import pickle
import warnings
from collections import OrderedDict
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Pauli, SparseObservable, SparsePauliOp
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.gradients import (
    ParamShiftEstimatorGradient,
    SPSAEstimatorGradient,
)
from qiskit_machine_learning.neural_networks import EstimatorQNN, SamplerQNN
from qiskit_machine_learning.primitives import QMLEstimator
from torch import nn

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    QuantumLayer,
    TorchEstimator,
    amplitude_angles,
    make_qnn,
    variational_layer,
    z_observables,
)


@pytest.fixture
def exact(make_network, weights):
    """The fast layer."""
    return QuantumLayer(make_network(), initial_weights=weights)


@pytest.fixture
def double(make_network, weights):
    """The fast layer with weights in double precision."""
    return QuantumLayer(make_network(), initial_weights=weights).double()


@pytest.fixture
def rows():
    return torch.as_tensor(np.random.default_rng(0).uniform(-2, 2, (5, 2)))


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


@pytest.mark.parametrize("shape", [(0, 2), (2, 0, 2)])
def test_an_empty_batch_is_no_job_for_another_estimator(make_network, counting, shape):
    layer = QuantumLayer(make_network(estimator=counting))
    with torch.no_grad():
        assert layer(torch.zeros(shape)).shape == (*shape[:-1], 4)
    assert counting.calls == []


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


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_other_estimators_get_every_dtype_too(make_network, weights, rows, dtype):
    layer = QuantumLayer(make_network(estimator=QMLEstimator()), initial_weights=weights)
    values, input_gradient, weight_gradient = gradients(layer, rows.to(dtype))
    assert values.dtype == input_gradient.dtype == dtype
    assert weight_gradient.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_to_moves_the_weights_but_never_to_half_precision(exact, rows, dtype):
    exact.to(dtype)
    kept = torch.float32 if dtype == torch.bfloat16 else dtype
    assert exact.weight.dtype == kept
    values, input_gradient, weight_gradient = gradients(exact, rows.to(dtype))
    assert values.dtype == input_gradient.dtype == dtype
    assert weight_gradient.dtype == kept
    assert torch.isfinite(weight_gradient).all()


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


def test_only_estimator_networks_with_dense_outputs_are_wrapped(make_network):
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("x"), 0)
    with pytest.raises(InputError, match="EstimatorQNN"):
        QuantumLayer(nn.Linear(2, 2))
    with pytest.raises(InputError, match="sparse"):
        QuantumLayer(make_network(), sparse=True)
    assert not issubclass(SamplerQNN, EstimatorQNN)


def test_default_weights_are_uniform_between_minus_one_and_one():
    w = ParameterVector("w", 200)
    circuit = QuantumCircuit(1)
    for angle in w:
        circuit.rx(angle, 0)
    network = EstimatorQNN(circuit=circuit, weight_params=list(w), estimator=TorchEstimator())
    weight = QuantumLayer(network).weight.detach()
    assert weight.dtype == torch.float32
    assert -1 <= float(weight.min()) < -0.8 < 0.8 < float(weight.max()) <= 1


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("positions", [0, 3])
def test_encode_is_the_layer_on_amplitude_angles(dtype, positions):
    amplitudes, angles, weights = (
        ParameterVector("a", 7),
        ParameterVector("p", positions),
        ParameterVector("w", 9),
    )
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(amplitudes)), range(3))
    for qubit, angle in enumerate(angles):
        circuit.rz(angle, qubit)
    variational_layer(circuit, weights)
    layer = QuantumLayer(make_qnn(circuit, [*amplitudes, *angles], list(weights)))
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 5, 8, generator=generator, dtype=dtype)
    features[0, 0] = 0
    features[0, 1, 2:6] = 0
    features.requires_grad_()
    rest = torch.randn(2, 5, positions, generator=generator, dtype=dtype) if positions else None
    inputs = (
        amplitude_angles(features)
        if rest is None
        else torch.cat([amplitude_angles(features), rest], dim=-1)
    )
    # a random weighting of the outputs, so that every entry of the Jacobian counts
    cotangent = torch.randn(2, 5, 3, generator=generator, dtype=dtype)
    found = torch.autograd.grad(
        (layer.encode(features, rest) * cotangent).sum(), [features, layer.weight]
    )
    wanted = torch.autograd.grad((layer(inputs) * cotangent).sum(), [features, layer.weight])
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(layer.encode(features, rest), layer(inputs), atol=tolerance, rtol=0)
    # at an empty branch the tree has no gradient, the plain normalisation has
    compared = torch.ones(2, 5, 8, dtype=torch.bool)
    compared[0, 1, 2:6] = False
    torch.testing.assert_close(found[0][compared], wanted[0][compared], atol=tolerance, rtol=0)
    # float32 weights collect the gradients of both precisions
    torch.testing.assert_close(found[1], wanted[1], atol=1e-5, rtol=0)
    with pytest.raises(InputError):
        layer.encode(features[..., :4])
    with layer.run_on(TorchEstimator(dtype="complex128")), torch.no_grad():
        torch.testing.assert_close(
            layer.encode(features, rest), layer(inputs), atol=tolerance, rtol=0
        )


def loading_layer(kind, gate=lambda a: list(a), rest=lambda circuit, a: None):
    """Two qubits; ``gate`` says what stands in the encoding, ``rest`` what follows it."""
    a, w = ParameterVector("a", 3), ParameterVector("w", 1)
    circuit = QuantumCircuit(2)
    angles = gate(a)
    if angles is not None:
        circuit.append(AmplitudeEncoding(angles), [0, 1])
    rest(circuit, a)
    circuit.rx(w[0], 0)
    circuit.cx(0, 1)
    return QuantumLayer(network_on(circuit, kind, inputs=a, weights=w), np.array([0.3])).double()


def angle_again(circuit, a):
    circuit.rx(a[0], 1)


def same_or_refused(layer, features):
    """What :meth:`encode` may do: the same as the layer on the angles, or say no."""
    try:
        values = layer.encode(features)
    except InputError:
        return
    torch.testing.assert_close(values, layer(amplitude_angles(features)), atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_encode_notices_a_loaded_angle_that_is_used_again(kind):
    layer = loading_layer(kind, rest=angle_again)
    same_or_refused(layer, torch.randn(4, 4, dtype=torch.float64))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize(
    "gate",
    [lambda a: list(a)[::-1], lambda a: [2 * a[0], a[1], a[2]], lambda a: [a[0], a[0], a[2]]],
)
def test_encode_notices_angles_that_are_not_the_inputs_in_order(kind, gate):
    def the_rest(circuit, a):
        for angle in a:
            circuit.ry(angle, 0)

    layer = loading_layer(kind, gate, the_rest)
    same_or_refused(layer, torch.randn(4, 4, dtype=torch.float64))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_encode_refuses_a_circuit_without_an_encoding_on_every_estimator(kind):
    def plain(circuit, a):
        for angle in a:
            circuit.ry(angle, 0)

    layer = loading_layer(kind, lambda a: None, plain)
    with pytest.raises(InputError, match="amplitudes"):
        layer.encode(torch.randn(4, 4, dtype=torch.float64))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize(
    "features", [torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 8), torch.zeros(2, 3)]
)
def test_encode_refuses_features_of_the_wrong_shape_or_kind(kind, features):
    with pytest.raises(InputError):
        loading_layer(kind).encode(features)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 0, 4), (2, 3, 4)])
def test_encode_keeps_leading_shapes(shape):
    values = loading_layer("fast").encode(torch.randn(shape, dtype=torch.float64))
    assert values.shape == (*shape[:-1], 2)


def test_encode_runs_the_circuit_on_another_estimator(counting):
    layer = loading_layer("fast")
    features = torch.randn(5, 4, dtype=torch.float64)
    exact = layer.encode(features).detach()
    with layer.run_on(counting), torch.no_grad():
        torch.testing.assert_close(layer.encode(features), exact, atol=1e-5, rtol=0)
    assert len(counting.calls) == 1
    circuit = counting.calls[0][0][0][0]
    assert "amplitude_encoding" in circuit.count_ops()


def test_encode_has_the_gradient_of_the_normalised_features():
    layer = loading_layer("fast")
    features = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer.encode, (features,))
