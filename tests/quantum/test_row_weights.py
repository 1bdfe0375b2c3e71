"""Weights per sample and per group, against one slow layer per vector of weights."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient

from qvlm_qiskit import QuantumLayer, TorchEstimator, open_backend
from qvlm_qiskit.errors import CircuitError, InputError
from qvlm_qiskit.quantum import AmplitudeEncoding, amplitude_angles, make_qnn
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead
from qvlm_qiskit.quantum.gradients.sampled import SampledGradient

GROUPS = 3


def numbers(*shape, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).uniform(-2, 2, shape))


@pytest.fixture
def layer(make_network):
    return QuantumLayer(make_network(), numbers(GROUPS, 3).numpy(), groups=GROUPS).double()


@pytest.fixture
def one(make_network):
    """A layer without groups."""
    return QuantumLayer(make_network(), numbers(3).numpy()).double()


def separate(make_network, inputs, weights, outer):
    """A layer with one row's weights, called with it alone: values, and gradients by both."""
    values, by_inputs, by_weights = [], [], []
    layer = QuantumLayer(make_network()).double()
    for row, weight, loss in zip(inputs, weights, outer, strict=True):
        layer.zero_grad()
        with torch.no_grad():
            layer.weight.copy_(weight)
        own = row.clone().requires_grad_()
        value = layer(own)
        (value * loss).sum().backward()
        values.append(value.detach())
        by_inputs.append(own.grad)
        by_weights.append(layer.weight.grad.clone())
    return torch.stack(values), torch.stack(by_inputs), torch.stack(by_weights)


class Called(TorchEstimator):
    """No layer differentiates a subclass by itself."""


def gradients(call, inputs, weight, outer):
    inputs = inputs.clone().requires_grad_()
    values = call(inputs)
    found = torch.autograd.grad((values * outer).sum(), [inputs, weight])
    return values.detach(), *found


def close(found, expected, tolerance=1e-9):
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=tolerance, rtol=0, check_dtype=False)


MACHINES = {
    "exact": (None, 1e-9),
    "noise": (lambda: open_backend("noisy:depolarizing(0)", precision=0), 1e-5),
    "pubs": (StatevectorEstimator, 1e-9),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_groups_are_separate_layers(layer, make_network, machine):
    inputs, outer = numbers(2, 2, GROUPS, 2), numbers(2, 2, GROUPS, 4, seed=1)
    opened, tolerance = MACHINES[machine]
    if opened is not None:
        layer.run_on(opened(), gradient="param_shift")
    found = gradients(layer, inputs, layer.weight, outer)
    weights = layer.weight.detach().expand(4, GROUPS, 3).reshape(-1, 3)
    flat = separate(make_network, inputs.reshape(-1, 2), weights, outer.reshape(-1, 4))
    expected = flat[0].reshape(2, 2, GROUPS, 4), flat[1].reshape(inputs.shape)
    close(found, (*expected, flat[2].reshape(4, GROUPS, 3).sum(0)), tolerance)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("shape", [(5, 3), (1, 3), (3,)])
def test_weights_per_sample_are_separate_layers(one, make_network, shape, machine):
    inputs, outer = numbers(5, 2), numbers(5, 4, seed=1)
    weight = numbers(*shape, seed=2).requires_grad_()
    opened, tolerance = MACHINES[machine]
    if opened is not None:
        one.run_on(opened(), gradient="param_shift")
    found = gradients(lambda x: one(x, weight=weight), inputs, weight, outer)
    flat = separate(make_network, inputs, weight.detach().expand(5, 3), outer)
    by_weights = flat[2] if shape[0] == 5 else flat[2].sum(0).reshape(shape)
    close(found, (*flat[:2], by_weights), tolerance)
    assert one.weight.grad is None


def test_large_groups_are_swept_one_by_one_with_the_same_result(make_network):
    """Enough samples per group that gates of shared angles are made once for all of them."""
    layer = QuantumLayer(make_network(), numbers(GROUPS, 3), groups=GROUPS).double()
    inputs, outer = numbers(19, GROUPS, 2), numbers(19, GROUPS, 4, seed=1)
    found = gradients(layer, inputs, layer.weight, outer)
    assert False in layer._engines._exact
    weights = layer.weight.detach()
    own = [QuantumLayer(make_network(), weights[k].numpy()).double() for k in range(GROUPS)]
    for k, one in enumerate(own):
        with torch.no_grad():
            one.weight.copy_(weights[k])
        part = gradients(one, inputs[:, k], one.weight, outer[:, k])
        close((found[0][:, k], found[1][:, k], found[2][k]), part, 1e-12)
        close([second(layer, inputs)[k]], [second(one, inputs[:, k])], 1e-10)


def second(layer, inputs):
    """The gradient of a squared gradient."""
    loss = layer(inputs).square().sum()
    (first,) = torch.autograd.grad(loss, layer.weight, create_graph=True)
    (found,) = torch.autograd.grad(first.square().sum(), layer.weight)
    return found


def test_angles_of_inputs_and_weights_together_are_taken_row_by_row():
    x, w = ParameterVector("x", 1), ParameterVector("w", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0] + 2 * w[0], 0)
    layer = QuantumLayer(make_qnn(circuit, list(x), list(w)), groups=2).double()
    inputs = numbers(10, 2, 1)
    expected = torch.cos(inputs + 2 * layer.weight)
    torch.testing.assert_close(layer(inputs), expected, atol=1e-12, rtol=0)


def test_weights_broadcast_against_the_leading_dimensions(layer, one):
    inputs = numbers(2, GROUPS, 2)
    per_sample = numbers(2, GROUPS, 3, seed=4)
    rows = one(inputs.reshape(-1, 2), per_sample.reshape(-1, 3)).reshape(2, GROUPS, 4)
    close([layer(inputs, per_sample), one(inputs, per_sample)], [rows, rows], 0)
    steps = one(inputs, per_sample[:, :1])
    close([steps], [one(inputs, per_sample[:, :1].expand(2, GROUPS, 3))], 0)
    close([layer(inputs, per_sample[0])], [one(inputs, per_sample[0])], 0)


def test_a_network_without_inputs_has_a_row_per_vector():
    w = ParameterVector("w", 2)
    circuit = QuantumCircuit(1)
    circuit.ry(w[0], 0)
    circuit.rz(w[1], 0)
    network = make_qnn(circuit, [], list(w))
    weights = numbers(4, 2).float()
    layer = QuantumLayer(network, weights, groups=4)
    assert layer().shape == (4, 1)
    torch.testing.assert_close(layer()[:, 0], weights[:, 0].cos())
    torch.testing.assert_close(QuantumLayer(network)(weight=weights), layer())


def test_features_are_loaded_beside_weights_per_group():
    angles, w = ParameterVector("a", 3), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    circuit.append(AmplitudeEncoding(angles), [0, 1])
    circuit.ry(w[0], 0)
    circuit.cx(0, 1)
    circuit.rx(w[1], 1)
    layer = QuantumLayer(make_qnn(circuit, list(angles), list(w)), groups=2).double()
    features = numbers(3, 2, 4)
    torch.testing.assert_close(layer.encode(features), layer(amplitude_angles(features)))
    own = numbers(3, 2, 2, seed=1)
    torch.testing.assert_close(
        layer.encode(features, weight=own), layer(amplitude_angles(features), own)
    )
    with pytest.raises(InputError, match="of 2 groups"):
        layer.encode(features[:, :1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_output_has_the_inputs_dtype_and_gradients_the_weights(layer, dtype):
    layer.to(dtype)
    inputs = numbers(4, GROUPS, 2).to(dtype).requires_grad_()
    values = layer(inputs)
    values.sum().backward()
    assert values.dtype == inputs.grad.dtype == dtype
    wide = dtype if dtype.itemsize >= 4 else torch.float32  # angles are never in half precision
    assert layer.weight.grad.dtype == layer.weight.dtype == wide
    given = layer(inputs.detach(), weight=layer.weight.detach().double())
    assert given.dtype == dtype
    torch.testing.assert_close(given, values.detach(), atol=2e-2, rtol=0)


@pytest.mark.parametrize("shape", [(0, GROUPS, 2), (2, 0, GROUPS, 2)])
def test_an_empty_batch_gives_an_empty_batch(layer, one, shape, make_network):
    inputs = torch.zeros(shape, requires_grad=True, dtype=torch.float64)
    values = layer(inputs)
    values.sum().backward()
    assert values.shape == (*shape[:-1], 4)
    assert not layer.weight.grad.any()
    weight = torch.zeros(*shape[:-1], 3, requires_grad=True)
    one(inputs, weight).sum().backward()
    assert weight.grad.shape == weight.shape
    elsewhere = QuantumLayer(make_network(estimator=StatevectorEstimator()), groups=GROUPS)
    with torch.no_grad():
        assert elsewhere(inputs).shape == values.shape


def test_one_group_is_a_layer_with_one_more_dimension(make_network, weights):
    layer = QuantumLayer(make_network(), weights, groups=1)
    assert layer.weight.shape == (1, 3)
    inputs = numbers(4, 2).float()
    close([layer(inputs[:, None])[:, 0]], [QuantumLayer(make_network(), weights)(inputs)], 1e-6)


def test_weights_without_gradients_get_none(layer, one):
    layer.weight.requires_grad_(False)
    inputs = numbers(2, GROUPS, 2).requires_grad_()
    layer(inputs).sum().backward()
    assert inputs.grad.any()
    assert layer.weight.grad is None
    assert not one(numbers(2, 2), numbers(2, 3)).requires_grad


def test_without_input_gradients_weights_per_row_still_get_theirs(make_network):
    layer = QuantumLayer(make_network(input_gradients=False)).double()
    weight = numbers(5, 3).requires_grad_()
    inputs = numbers(5, 2).requires_grad_()
    with pytest.warns(UserWarning, match="input_gradients"):
        layer(inputs, weight).sum().backward()
    assert inputs.grad is None
    assert weight.grad.abs().min() > 0


@pytest.mark.parametrize("groups", [0, -1, True, 2.0, "2"])
def test_groups_are_a_positive_number(make_network, groups):
    with pytest.raises(InputError, match="groups must be a positive integer"):
        QuantumLayer(make_network(), groups=groups)


def test_initial_weights_are_those_of_all_groups_or_of_each(make_network, weights):
    network = make_network()
    each = numbers(2, 3).float()
    assert torch.equal(QuantumLayer(network, each, groups=2).weight, each)
    alike = QuantumLayer(network, weights, groups=2)
    with torch.no_grad():
        alike.weight[0] += 1
    np.testing.assert_allclose(alike.weight[1].detach(), weights, rtol=1e-6)
    torch.manual_seed(1)
    drawn = QuantumLayer(network, groups=100).weight.detach()
    assert -1 <= drawn.min() < -0.9 < 0.9 < drawn.max() <= 1
    for wrong in (numbers(3, 3), numbers(2), numbers(2, 1, 3)):
        with pytest.raises(InputError, match="initial weights of 2 groups"):
            QuantumLayer(network, wrong, groups=2)
    with pytest.raises(InputError, match="no weights"):
        QuantumLayer(make_qnn(QuantumCircuit(1), [], []), groups=2)


@pytest.mark.parametrize("shape", [(2,), (4, 2), (4, GROUPS + 1, 2), (GROUPS, 3)])
def test_other_numbers_of_groups_are_refused_before_anything_runs(layer, shape, counting):
    layer.run_on(counting)
    with pytest.raises(InputError, match=rf"\(…, {GROUPS}, 2\)"):
        layer(torch.zeros(shape))
    assert counting.calls == []


@pytest.mark.parametrize(
    "weight",
    [
        torch.zeros(4), torch.zeros(4, 3), torch.zeros(1, 5, 3), torch.zeros(5, 1),
        torch.zeros(0, 3), torch.zeros(5, 3, dtype=torch.int64), torch.zeros(()),
        np.zeros((5, 3)), torch.full((5, 3), torch.nan),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused_before_anything_runs(one, weight, counting):
    one.run_on(counting)
    with pytest.raises(InputError) as error:
        one(torch.zeros(5, 2), weight)
    assert "weights" in str(error.value)
    assert "\n" not in str(error.value)
    assert counting.calls == []


def test_the_state_has_the_one_key_weight_and_copies_are_independent(layer, make_network):
    inputs = numbers(2, GROUPS, 2)
    values = layer(inputs)
    assert {name: x.shape for name, x in layer.state_dict().items()} == {"weight": (GROUPS, 3)}
    other = QuantumLayer(make_network(), groups=GROUPS).double()
    other.load_state_dict(layer.state_dict())
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    saved = torch.load(file, weights_only=False)
    for again in (other, saved, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(again(inputs), values, atol=0, rtol=0)
        with torch.no_grad():
            again.weight.add_(1)
    torch.testing.assert_close(layer(inputs), values, atol=0, rtol=0)
    with pytest.raises(RuntimeError, match="size mismatch"):
        QuantumLayer(make_network()).load_state_dict(layer.state_dict())


def test_rows_are_sent_once_if_inputs_and_weights_are_equal(layer, one, counting_statevector):
    same = torch.ones(4, 2, dtype=torch.float64)
    weight = numbers(4, 3)
    weight[2] = weight[0]
    weight[3] = -weight[0]
    with one.run_on(counting_statevector), torch.no_grad():
        found = one(same, weight)
    ((((_, _, bindings),), _),) = counting_statevector.calls
    assert bindings.shape == (3,)
    torch.testing.assert_close(found, one(same, weight), atol=1e-9, rtol=0)
    with layer.run_on(counting_statevector), torch.no_grad():
        layer(torch.ones(2, GROUPS, 2))
    (((_, _, bindings),), _) = counting_statevector.calls[-1]
    assert bindings.shape == (GROUPS,)


def test_a_preflight_counts_rows_that_differ_in_inputs_or_weights(layer, one):
    backend = open_backend("aer", shots=10)
    inputs = torch.ones(4, GROUPS, 2)
    inputs[0, 1] = 2
    assert backend.preflight(layer, inputs).rows == GROUPS + 1
    weight = torch.ones(4, 3)
    weight[3] = 2
    given = {"input_data": torch.ones(4, 2), "weight": weight}
    assert backend.preflight(one, given).rows == 2


@pytest.mark.parametrize("method", ["param_shift", "spsa"])
def test_gradients_of_samples_are_those_of_every_row(make_network, method):
    network = make_network()
    layer = QuantumLayer(network, numbers(2, 3), groups=2).double()
    inputs, outer = numbers(3, 2, 2), numbers(3, 2, 4, seed=1)
    expected = gradients(layer, inputs, layer.weight, outer)
    options = {"samples": 1000, "epsilon": 1e-3, "seed": 1} if method == "spsa" else {}
    exact = Called(dtype="complex128")
    layer.run_on(exact, SampledGradient(method, **options))
    found = gradients(layer, inputs, layer.weight, outer)
    close(found, expected, 1e-8 if method == "param_shift" else 0.6)


def test_skipped_derivatives_are_counted_per_weight_of_each_group(make_network):
    layer = QuantumLayer(make_network(), numbers(2, 3).numpy(), groups=2)
    layer.run_on(open_backend("aer", shots=5, seed=1), SampledGradient(prune=True))
    layer(numbers(3, 2, 2).float()).square().sum().backward()
    assert layer.skipped.all == 6
    assert int((layer.weight.grad == 0).sum()) >= layer.skipped.skipped > 0


def test_a_gradient_object_of_the_networks_own_is_asked_for_every_vector(make_network):
    gradient = ParamShiftEstimatorGradient(StatevectorEstimator())
    network = make_network(estimator=StatevectorEstimator(), gradient=gradient)
    own = QuantumLayer(network, numbers(2, 3), groups=2).double()
    fast = QuantumLayer(make_network(), numbers(2, 3), groups=2).double()
    inputs, outer = numbers(2, 2, 2), numbers(2, 2, 4, seed=1)
    expected = gradients(fast, inputs, fast.weight, outer)
    close(gradients(own, inputs, own.weight, outer), expected)


def test_asked_ahead_values_and_shifts_of_every_row_are_one_call(make_network):
    layer = QuantumLayer(make_network(), numbers(2, 3), groups=2).double()
    ahead = AskedAhead(StatevectorEstimator())
    layer.run_on(ahead, "param_shift")
    inputs = numbers(3, 2, 2).requires_grad_()
    with ahead.collecting() as asked:
        layer(inputs)
    assert next(iter(asked.pubs.values())).parameter_values.shape == (6,)
    ahead.learn(asked.pubs)
    ahead.inner = None  # whoever asks again fails
    layer(inputs).sum().backward()
    assert layer.weight.grad.any()


def test_a_layer_waits_for_weights_that_other_values_decide(one, make_network):
    ahead = AskedAhead(StatevectorEstimator())
    slow = QuantumLayer(make_network()).double()
    for layer in (one, slow):
        layer.run_on(ahead, "param_shift")
    inputs = numbers(2, 2)
    with ahead.collecting() as first:
        one(inputs, slow(inputs)[:, :3])
    assert first.waits
    ahead.learn(first.pubs)
    with ahead.collecting() as second:
        one(inputs, slow(inputs)[:, :3])
    assert not second.waits
    assert len(second.pubs) > 0


def test_second_derivatives_and_transforms_are_right(layer, one):
    inputs = numbers(2, GROUPS, 2)
    call = lambda w: torch.func.functional_call(layer, {"weight": w}, (inputs,)).square().sum()  # noqa: E731
    weight = layer.weight.detach()
    first = torch.func.grad(call)(weight)
    torch.testing.assert_close(first, torch.autograd.functional.jacobian(call, weight))
    assert torch.autograd.gradgradcheck(call, weight.clone().requires_grad_())
    stacked = numbers(4, GROUPS, 3)
    torch.testing.assert_close(
        torch.func.vmap(call)(stacked), torch.stack([call(each) for each in stacked])
    )
    rows, own = numbers(5, 2), numbers(5, 3)
    mapped = torch.func.vmap(lambda x, w: one(x, w))(rows, own)
    torch.testing.assert_close(mapped, one(rows, own))


def test_in_a_compiled_program_it_is_the_same(layer, one):
    try:
        inputs, own = numbers(2, GROUPS, 2), numbers(2, GROUPS, 3).requires_grad_()
        program = torch.compile(lambda x, w: (layer(x), one(x, w)), fullgraph=True, backend="eager")
        found, expected = program(inputs, own), (layer(inputs), one(inputs, own))
        close(found, expected)
        wanted = [layer.weight, own]
        close(
            torch.autograd.grad(sum(map(torch.sum, found)), wanted),
            torch.autograd.grad(sum(map(torch.sum, expected)), wanted),
        )
    finally:
        torch.compiler.reset()


def test_an_exported_program_takes_batches_of_any_size(layer):
    size = torch.export.Dim("B", min=2, max=100)
    inputs = (numbers(5, GROUPS, 2),)
    program = torch.export.export(layer, inputs, dynamic_shapes=({0: size},), strict=False)
    other = numbers(9, GROUPS, 2, seed=1)
    close([program.module()(other)], [layer(other)], 1e-12)


def test_values_refuse_rows_that_are_not_a_multiple_of_the_weights(one):
    with pytest.raises(InputError, match="2 vectors of weights don't fit 3 rows"):
        one.values(numbers(3, 2), numbers(2, 3))
    with pytest.raises(InputError, match="don't fit"):
        one.evaluate_rows(numbers(3, 2).numpy(), numbers(2, 3).numpy())


def test_values_without_a_gradient_are_not_differentiated(layer):
    layer.run_on(StatevectorEstimator())
    with pytest.raises(CircuitError, match="given no gradient"):
        layer(numbers(2, GROUPS, 2)).sum().backward()


@pytest.mark.parametrize("seed", range(3))
def test_random_circuits_with_weights_per_sample_are_those_with_bound_ones(seed, twin):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    x, w = ParameterVector("x", 2), ParameterVector("w", 3)
    circuit = QuantumCircuit(n)
    for name in rng.permutation([*x, *w, *x, *w], axis=0):
        gate = ("rx", "ry", "rz", "p")[rng.integers(4)]
        getattr(circuit, gate)(rng.normal() * name + rng.normal(), int(rng.integers(n)))
        if n > 1:
            circuit.cx(*map(int, rng.choice(n, 2, replace=False)))
    observable = SparsePauliOp(["".join(rng.choice(list("IXYZ"), n)) for _ in range(3)])
    layer = QuantumLayer(
        make_qnn(circuit, list(x), list(w), [observable], estimator=TorchEstimator())
    ).double()
    rows, own = numbers(4, 2, seed=seed), numbers(4, 3, seed=seed + 1)
    expected = twin(circuit, [observable], np.concatenate([rows, own], axis=1), [*x, *w])
    np.testing.assert_allclose(layer(rows, own).detach(), expected, atol=1e-10)


def test_groups_can_be_made_without_memory(make_network):
    """As large models are, before their weights are loaded."""
    with torch.device("meta"):
        layer = QuantumLayer(make_network(), groups=GROUPS)
    assert layer.weight.is_meta
    assert layer.weight.shape == (GROUPS, 3)
