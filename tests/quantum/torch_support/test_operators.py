"""Layers in programs of ``torch.compile`` and ``torch.export``: the values, gradients, no noise."""

import copy
import logging
import warnings
from functools import partial

import pytest
import torch
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit import QuantumLayer, open_backend
from qvlm_qiskit.blocks.core import build_core
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.torch_support import operators

ROWS = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(4, 3)[:, :2].contiguous()
WEIGHTS = [0.31, -0.72, 1.13]
EXACT = partial(torch.testing.assert_close, rtol=0, atol=1e-12)

# torch's own, when its compiler is first imported
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script")


@pytest.fixture(autouse=True)
def _fresh_compiler():
    yield
    torch.compiler.reset()


@pytest.fixture
def layer(make_network):
    return QuantumLayer(make_network(), WEIGHTS).double()


def compiled(function, backend="eager", **options):
    return torch.compile(function, fullgraph=True, backend=backend, **options)


def run(function, layer, *inputs):
    """Values, and a loss's gradients by weights and inputs."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    layer.zero_grad()
    values = function(*inputs)
    values.square().sum().backward()
    weights = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
    return [values.detach(), *weights, *(x.grad for x in inputs)]


def check(function, layer, *inputs):
    for mine, eager in zip(run(function, layer, *inputs), run(layer, layer, *inputs), strict=True):
        assert mine.dtype == eager.dtype
        EXACT(mine, eager)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_values_and_gradients_are_the_layers(layer, backend):
    function = compiled(layer, backend, dynamic=True)
    for rows in (ROWS, ROWS[:3]):
        check(function, layer, rows)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("dynamic", [None, False, True])
def test_values_and_gradients_are_the_layers_for_every_shape(layer, backend, dynamic):
    function = compiled(layer, backend, dynamic=dynamic)
    for rows in (ROWS, ROWS[:3], ROWS[:1], ROWS[:0], ROWS.reshape(2, 2, 2)):
        check(function, layer, rows)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [None, True])
def test_the_default_compiler_takes_a_model_with_a_layer(layer, dynamic):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), layer, torch.nn.Tanh())
    model = model.double()
    function = compiled(model, "inductor", dynamic=dynamic)
    for rows in (ROWS, ROWS[:3]):
        check(function, model, rows)


def test_a_block_loads_its_features_in_a_compiled_program():
    core = build_core("quantum", 3, 2, positional=True).double()
    features, positions = torch.randn(5, 8).double(), torch.randn(5, 3).double()
    check(compiled(core, "aot_eager"), core, features, positions)


def test_nothing_is_logged_or_warned(layer, caplog, capfd):
    layer(ROWS)
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.INFO):
        warnings.simplefilter("always")
        function = compiled(layer, "aot_eager", dynamic=True)
        for rows in (ROWS, ROWS[:2]):
            run(function, layer, rows)
    written = "".join(capfd.readouterr())
    ours = [str(w.message) for w in caught if "torch.jit.script" not in str(w.message)]
    assert (ours, caplog.messages, written) == ([], [], "")


def test_single_and_half_precision_and_no_batch(layer):
    function = compiled(layer)
    for rows in (ROWS.float(), ROWS.half(), ROWS[0]):
        values = function(rows)
        assert values.dtype == rows.dtype
        assert torch.equal(values, layer(rows))


def test_a_program_follows_its_layer(layer):
    function, before = compiled(layer), layer(ROWS).detach()
    EXACT(function(ROWS).detach(), before)
    other = copy.deepcopy(layer)
    layer.weight.data += 1
    EXACT(function(ROWS), layer(ROWS))
    EXACT(compiled(other)(ROWS).detach(), before)
    layer.run_on(StatevectorEstimator())
    EXACT(function(ROWS), layer(ROWS))


@pytest.mark.slow
def test_a_program_trains_on_a_noisy_backend(layer):
    function, before = compiled(layer, "aot_eager"), layer(ROWS).detach()
    layer.run_on(open_backend("noisy:depolarizing(0.05)", precision=0))
    check(function, layer, ROWS)
    assert (function(ROWS) - before).abs().max() > 0.01


def test_other_estimators_are_asked_once_for_values_and_once_for_gradients(
    counting_statevector, make_network
):
    counting = counting_statevector
    layer = QuantumLayer(make_network(estimator=counting), WEIGHTS).double()
    run(layer, layer, ROWS)
    eager = [len(pubs) for pubs, _ in counting.calls]
    counting.calls.clear()
    mine = run(compiled(layer, "aot_eager"), layer, ROWS)
    assert [len(pubs) for pubs, _ in counting.calls] == eager
    for found, expected in zip(mine, run(layer, layer, ROWS), strict=True):
        EXACT(found, expected)


def test_errors_are_the_layers(layer):
    function = compiled(layer)
    bad = ROWS.clone()
    bad[1, 0] = torch.nan
    function(ROWS)
    with pytest.raises(InputError, match="NaN or infinity"):
        function(bad)
    layer.run_on(StatevectorEstimator())
    with pytest.raises(Exception, match="set by run_on samples"):
        function(ROWS).sum().backward()


def test_a_program_whose_layer_is_gone_says_so(layer):
    number = operators.enrol(copy.deepcopy(layer))
    with pytest.raises(InputError, match="without its quantum layer"):
        operators.layer_values(ROWS, layer.weight, None, number, 4)


def test_second_derivatives_in_a_program_without_a_graph_of_gradients(layer):
    def penalty(function):
        rows = ROWS.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(function(rows).sum(), rows, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), (rows, layer.weight))

    for mine, eager in zip(penalty(compiled(layer)), penalty(layer), strict=True):
        EXACT(mine, eager)


@pytest.mark.slow
def test_vmap_in_a_program(layer, capfd):
    layer(ROWS)
    weights = torch.stack([layer.weight.detach() + i for i in range(4)])

    def values(weight, rows):
        return torch.func.functional_call(layer, {"weight": weight}, (rows,))

    for dims in ((None, 0), (0, None), (0, 0), (None, 1)):
        given = (weights if dims[0] == 0 else weights[0], ROWS.mT if dims[1] == 1 else ROWS)
        mapped = torch.func.vmap(values, dims)
        EXACT(compiled(mapped)(*given), mapped(*given))
    assert "performance drop" not in capfd.readouterr().err


def test_inputs_without_gradients_get_none_and_it_is_said(make_network):
    layer = QuantumLayer(make_network(input_gradients=False), WEIGHTS).double()
    rows = ROWS.clone().requires_grad_()
    with pytest.warns(UserWarning, match="no gradient reaches"):
        compiled(layer, "aot_eager")(rows).sum().backward()
    mine = layer.weight.grad.clone()
    assert rows.grad is None
    layer.zero_grad()
    layer(ROWS).sum().backward()
    EXACT(mine, layer.weight.grad)


def test_the_operators_are_registered_as_torch_wants_them(layer):
    weight = layer.weight.detach().requires_grad_()
    given = (ROWS.clone().requires_grad_(), weight, None, layer._number, 4)
    torch.library.opcheck(operators.layer_values, given)
    outer = torch.ones(4, 4, dtype=torch.float64)
    needed = [True, True, False]
    given = (outer, ROWS, weight.detach(), None, layer._number, needed)
    torch.library.opcheck(operators.layer_gradients, given)


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
def test_an_exported_program_takes_any_number_of_rows(layer, strict, caplog, capfd):
    layer(ROWS)
    rows = torch.export.Dim("rows", min=1, max=1000)
    shapes = ({0: rows},)
    with caplog.at_level(logging.INFO):
        program = torch.export.export(layer, (ROWS,), dynamic_shapes=shapes, strict=strict).module()
    for some in (ROWS, ROWS[:1], ROWS.repeat(3, 1)):
        EXACT(program(some), layer(some))
    assert (caplog.messages, "".join(capfd.readouterr())) == ([], "")


@pytest.mark.slow
def test_an_exported_program_needs_no_layer(layer, tmp_path):
    program = torch.export.export(layer, (ROWS,))
    names = {str(node.target) for node in program.graph.nodes}
    assert not any(name.startswith("qvlm_qiskit") for name in names)
    torch.export.save(program, tmp_path / "layer.pt2")
    EXACT(torch.export.load(tmp_path / "layer.pt2").module()(ROWS), layer(ROWS))
