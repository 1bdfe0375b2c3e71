"""torch.func over a layer, forward-mode and second derivatives: right, or refused by name."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
from torch.autograd import forward_ad

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    BatchedEstimatorGradient,
    QuantumLayer,
    TorchEstimator,
    amplitude_angles,
    make_qnn,
    variational_layer,
)
from tests.parameters import first_by_default

# torch scripts its own decompositions when forward-mode differentiation is first used
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")

WEIGHTS = torch.tensor([0.31, -0.72, 1.13]).double()  # a layer starts from single precision
ROWS = torch.as_tensor(np.random.default_rng(0).uniform(-2, 2, (4, 2)))


def layer_of(network):
    return QuantumLayer(network, initial_weights=WEIGHTS.numpy()).double()


@pytest.fixture
def layer(make_network):
    return layer_of(make_network())


def function_of(layer):
    """The layer as a function of its weights and its inputs."""

    def values(weight, inputs):
        return torch.func.functional_call(layer, {"weight": weight}, (inputs,))

    return values


def twin_jacobians(layer, twin_jacobian):
    """By inputs ``(B, n_obs, 2)`` and by weights ``(B, n_obs, 3)``."""
    network = layer.neural_network
    parameters = [*network.input_params, *network.weight_params]
    rows = np.concatenate([ROWS.numpy(), np.tile(WEIGHTS.numpy(), (len(ROWS), 1))], axis=1)
    both = np.stack(
        [twin_jacobian(network.circuit, network.observables, row, parameters) for row in rows]
    )
    return torch.as_tensor(both[..., :2]), torch.as_tensor(both[..., 2:])


def close(ours, expected, tolerance=1e-9):
    torch.testing.assert_close(ours.detach(), expected.detach(), atol=tolerance, rtol=0)


@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.jacfwd])
def test_jacobians_by_transforms_are_the_twins(layer, twin_jacobian, transform):
    by_inputs, by_weights = twin_jacobians(layer, twin_jacobian)
    values = function_of(layer)
    close(transform(values, argnums=0)(WEIGHTS, ROWS), by_weights)
    full = transform(values, argnums=1)(WEIGHTS, ROWS)  # (B, n_obs, B, 2)
    close(torch.einsum("bobi->boi", full), by_inputs)
    assert float(full.abs().sum()) == pytest.approx(float(by_inputs.abs().sum()))


def test_a_gradient_per_sample(layer, twin_jacobian):
    by_inputs, by_weights = twin_jacobians(layer, twin_jacobian)
    outer = torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64)

    def loss(weight, row):
        return (function_of(layer)(weight, row) * outer).sum()

    gradients = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)), (None, 0))(WEIGHTS, ROWS)
    close(gradients[0], torch.einsum("o,bow->bw", outer, by_weights))
    close(gradients[1], torch.einsum("o,boi->bi", outer, by_inputs))


def test_vmap_over_inputs_over_weights_and_over_both(layer, twin):
    network = layer.neural_network
    parameters = [*network.input_params, *network.weight_params]
    weights = torch.stack([WEIGHTS + i for i in range(4)])

    def expected(weight, row):
        full = torch.cat([row, weight])[None].numpy()
        return torch.as_tensor(twin(network.circuit, network.observables, full, parameters)[0])

    values = function_of(layer)
    close(
        torch.func.vmap(values, (None, 0))(WEIGHTS, ROWS),
        torch.stack([expected(WEIGHTS, row) for row in ROWS]),
    )
    close(
        torch.func.vmap(values, (0, None))(weights, ROWS),
        torch.stack([torch.stack([expected(w, row) for row in ROWS]) for w in weights]),
    )
    close(
        torch.func.vmap(values)(weights, ROWS),
        torch.stack([expected(w, row) for w, row in zip(weights, ROWS, strict=True)]),
    )
    close(torch.func.vmap(layer, in_dims=1)(ROWS[None]), layer(ROWS)[:, None])


def test_forward_mode_derivatives(layer, twin_jacobian):
    by_inputs, by_weights = twin_jacobians(layer, twin_jacobian)
    direction = (torch.tensor([1.0, -2.0, 0.5]).double(), torch.ones(4, 2).double())
    expected = torch.einsum("bow,w->bo", by_weights, direction[0]) + by_inputs.sum(-1)
    values, tangent = torch.func.jvp(function_of(layer), (WEIGHTS, ROWS), direction)
    close(values, layer(ROWS))
    close(tangent, expected)
    with forward_ad.dual_level():
        weight, rows = map(forward_ad.make_dual, (WEIGHTS, ROWS), direction)
        close(forward_ad.unpack_dual(function_of(layer)(weight, rows)).tangent, expected)


def test_second_derivatives_are_differences_of_the_twins_first(layer, twin_jacobian):
    network, outer = layer.neural_network, torch.linspace(-1, 2, 4, dtype=torch.float64)
    parameters = [*network.input_params, *network.weight_params]
    point = torch.cat([ROWS[0], WEIGHTS])

    def loss(p):
        return (function_of(layer)(p[2:], p[:2]) * outer).sum()

    def slopes(p):
        return outer.numpy() @ twin_jacobian(network.circuit, network.observables, p, parameters)

    step = 1e-4
    expected = np.stack(
        [
            (slopes(point.numpy() + e) - slopes(point.numpy() - e)) / (2 * step)
            for e in np.eye(5) * step
        ]
    )
    for hessian in (
        torch.func.hessian(loss)(point),
        torch.autograd.functional.hessian(loss, point),
        torch.func.jacrev(torch.func.jacrev(loss))(point),
    ):
        close(hessian, torch.as_tensor(expected), 1e-6)
        close(hessian, hessian.T)


def test_a_gradient_penalty_trains(layer):
    inputs = ROWS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(inputs).sum(), inputs, create_graph=True)
    gradient.pow(2).sum().backward()
    values = function_of(layer)

    def penalty(weight):
        return torch.func.grad(lambda x: values(weight, x).sum())(ROWS).pow(2).sum()

    close(layer.weight.grad, torch.func.grad(penalty)(WEIGHTS))
    assert layer.weight.grad.abs().min() > 1e-3


@pytest.mark.parametrize("transform", ["vmap", "grad", "jvp"])
def test_a_first_call_inside_a_transform_leaves_the_layer_as_it_was(make_network, transform):
    layer = layer_of(make_network())
    values = function_of(layer)
    if transform == "vmap":
        torch.func.vmap(layer)(ROWS)
    elif transform == "grad":
        torch.func.grad(lambda w: values(w, ROWS).sum())(WEIGHTS)
    else:
        torch.func.jvp(lambda w: values(w, ROWS), (WEIGHTS,), (WEIGHTS,))
    layer(ROWS).sum().backward()
    fresh = layer_of(make_network())
    fresh(ROWS).sum().backward()
    close(layer.weight.grad, fresh.weight.grad)
    (other,) = torch.func.vjp(lambda w: values(w, ROWS).sum(), WEIGHTS)[1](
        torch.ones((), dtype=torch.float64)
    )
    close(other, fresh.weight.grad)


@pytest.mark.parametrize("direct", [True, False])
def test_amplitude_loads_and_expressions_under_transforms(direct):
    angles, weights = ParameterVector("a", 7), ParameterVector("w", 9)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(angles)), range(3))
    variational_layer(circuit, [weights[0].sin() * weights[1], *weights[1:]])
    layer = QuantumLayer(make_qnn(circuit, list(angles), list(weights))).double()
    features = torch.as_tensor(np.random.default_rng(1).normal(size=(4, 8)))

    def values(rows):
        return layer.encode(rows) if direct else layer(amplitude_angles(rows))

    mine = torch.func.jacrev(values)(features)
    close(mine, torch.autograd.functional.jacobian(values, features))
    close(torch.func.vmap(values)(features), values(features))
    # what was cached inside a transform serves an ordinary training step
    layer.encode(features).sum().backward()
    assert torch.isfinite(layer.weight.grad).all()


def test_vmap_follows_an_angle_that_is_not_real_everywhere():
    inputs = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(inputs[0].log() + inputs[0].arccos(), 0)
    layer = QuantumLayer(make_qnn(circuit, list(inputs), [])).double()
    rows = torch.tensor([[0.2], [0.5], [0.9]]).double()
    expected = torch.cos(torch.log(rows) + torch.arccos(rows))
    close(torch.func.vmap(layer)(rows), expected)


def test_what_torch_batches_behind_the_back_is_refused(layer):
    values = function_of(layer)
    for options in ({"vectorize": True}, {"vectorize": True, "strategy": "forward-mode"}):
        with pytest.raises(InputError, match=r"torch\.func\.jacrev"):
            torch.autograd.functional.jacobian(lambda w: values(w, ROWS), WEIGHTS, **options)
    outer = torch.eye(16, dtype=torch.float64).reshape(16, 4, 4)
    with pytest.raises(InputError, match="is_grads_batched"):
        torch.autograd.grad(layer(ROWS), layer.weight, outer, is_grads_batched=True)


def other_networks(make_network):
    exact = TorchEstimator(dtype="complex128")
    yield make_network(estimator=StatevectorEstimator())
    yield make_network(estimator=exact, gradient=BatchedEstimatorGradient(exact, "adjoint"))
    yield make_network(gradient=ParamShiftEstimatorGradient(StatevectorEstimator()))


TRANSFORMS = {
    "vmap": lambda f: torch.func.vmap(f, (None, 0))(WEIGHTS, ROWS),
    "grad": lambda f: torch.func.grad(lambda w: f(w, ROWS).sum())(WEIGHTS),
    "jacrev": lambda f: torch.func.jacrev(f)(WEIGHTS, ROWS),
    "jvp": lambda f: torch.func.jvp(lambda w: f(w, ROWS), (WEIGHTS,), (WEIGHTS,)),
}


@pytest.mark.parametrize("name", first_by_default(*TRANSFORMS))
def test_transforms_are_refused_where_values_come_from_a_primitive(make_network, name):
    for network in other_networks(make_network):
        layer = layer_of(network)
        with pytest.raises(
            InputError, match=rf"TorchEstimator.*{type(network.estimator).__name__}"
        ):
            TRANSFORMS[name](function_of(layer))
        layer(ROWS).sum().backward()  # and the layer is still good for what it can do
        assert layer.weight.grad.abs().min() > 0


@pytest.mark.slow
def test_second_derivatives_are_refused_where_values_come_from_a_primitive(make_network):
    for network in other_networks(make_network):
        layer = layer_of(network)
        inputs = ROWS.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(layer(inputs).pow(2).sum(), inputs, create_graph=True)
        expected = torch.autograd.grad(layer(inputs).pow(2).sum(), inputs)[0]
        close(gradient, expected)  # asking for the graph costs nothing
        for target in (inputs, layer.weight):
            with pytest.raises(InputError, match="second derivative"):
                torch.autograd.grad(gradient.sum(), target, retain_graph=True)
        with pytest.raises(InputError, match="one gradient at a time"):
            outer = torch.eye(16, dtype=torch.float64).reshape(16, 4, 4)
            torch.autograd.grad(layer(ROWS), layer.weight, outer, is_grads_batched=True)
