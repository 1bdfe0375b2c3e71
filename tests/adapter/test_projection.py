import copy
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.variants import build_projection
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.inference.same_rows import angles_in_double
from qvlm_qiskit.quantum import quantum_layers

SMALL = ProjectionConfig(num_qubits=3, num_layers=2)


def projection(**changes):
    torch.manual_seed(0)
    return build_projection(replace(SMALL, **changes), 10, 12, 0.05)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("ansatz", "read"), list(product(["mixed", "source"], ["zz", "z"])))
def test_values_are_those_of_the_circuit(ansatz, read):
    """Against Qiskit's statevector, from features to tokens."""
    made = projection(ansatz=ansatz, read=read)
    features = torch.randn(2, 10)
    normed = torch.nn.functional.layer_norm(features, (10,))
    angles = np.pi / 2 * torch.tanh(made.reduce.weight @ normed.T + made.reduce.bias[:, None]).T
    network = made.core.layer.neural_network
    circuit = network.circuit
    order = [*network.input_params, *network.weight_params]
    for row, angle in enumerate(angles.detach().numpy()):
        values = [*angle, *made.core.layer.weight.detach().numpy()]
        state = Statevector(circuit.assign_parameters(dict(zip(order, values, strict=True))))
        read_out = [state.expectation_value(SparsePauliOp(o)).real for o in network.observables]
        expected = 0.05 * (made.expand.weight.detach().numpy() @ read_out)
        found = made(features)[row].detach().numpy().ravel()
        np.testing.assert_allclose(
            found, expected + 0.05 * made.expand.bias.detach().numpy(), atol=1e-6
        )


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_twin_has_the_same_bottleneck_and_number_of_parameters(n):
    for ansatz, read, tokens, keep in product(("mixed", "source"), ("zz", "z"), (1, 2), (None, 6)):
        options = {"num_qubits": n, "ansatz": ansatz, "read": read, "tokens": tokens, "keep": keep}
        both = [projection(kind=kind, **options) for kind in ("quantum", "classical", "frozen")]
        assert len({parameters(one) for one in both}) == 1
        tokens_made = [one(torch.randn(4, 10)) for one in both]
        assert all(made.shape == (4, tokens, 12) for made in tokens_made)
        assert both[0].expand.in_features == (n * (n + 1) // 2 if read == "zz" else n)


@pytest.mark.parametrize("kind", ["quantum", "classical", "frozen"])
@pytest.mark.parametrize(("encoding", "width"), [("angle", 3), ("amplitude", 8)])
def test_what_is_no_number_is_refused_by_circuit_and_twin_alike(kind, encoding, width):
    core = projection(kind=kind, encoding=encoding, keep=width).core
    for wrong in (torch.nan, torch.inf):
        features = torch.randn(2, width)
        features[1, 0] = wrong
        with pytest.raises(InputError, match="hold NaN or infinity"):
            core(features)


def test_a_frozen_circuit_is_not_trained_and_what_stands_around_it_is():
    frozen = projection(kind="frozen")
    frozen(torch.randn(3, 10)).sum().backward()
    (layer,) = quantum_layers(frozen).values()
    assert layer.weight.grad is None
    assert frozen.reduce.weight.grad.abs().max() > 0
    assert not quantum_layers(projection(kind="classical"))


def test_tokens_have_the_deviation_of_the_embeddings():
    tokens = projection()(torch.randn(2000, 10))
    assert 0.5 < float(tokens.detach().std()) / 0.05 < 2


@pytest.mark.parametrize("kind", ["quantum", "classical", "linear"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_features_of_any_precision_become_tokens_in_single(kind, dtype):
    made = projection(kind=kind)
    features = torch.randn(2, 10)
    tokens = made(features.to(dtype))
    assert tokens.dtype == torch.float32
    torch.testing.assert_close(tokens, made(features), atol=0.05, rtol=0.1)


def test_huge_features_are_as_good_as_others_and_none_are_taken_for_numbers():
    made = projection()
    huge = 1e30 * torch.randn(2, 10)
    torch.testing.assert_close(made(huge), made(huge / 1e29), atol=1e-4, rtol=1e-3)
    with pytest.raises(InputError, match="NaN or infinity"):
        made(torch.full((1, 10), torch.nan))


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"kind": "quantums"}, UnknownNameError, "did you mean 'quantum'"),
        ({"ansatz": "sorce"}, UnknownNameError, "did you mean 'source'"),
        ({"read": "zzz"}, UnknownNameError, "read of a projection"),
        ({"num_qubits": 0}, InputError, "num_qubits is a whole number"),
        ({"tokens": 1.5}, InputError, "tokens is a whole number"),
        ({"keep": 0}, InputError, "keep is a whole number"),
    ],
)
def test_what_can_not_be_built_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(SMALL, **change)


def test_a_map_that_is_kept_is_in_double_where_rows_are_bought():
    """All of what becomes angles is, so that two computers ask for the same rows."""
    made, features = projection(keep=6), torch.randn(3, 10)
    seen = []
    made.core.bounded.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with angles_in_double(made):
        tokens = made(features)
    assert seen[0].dtype == torch.float64
    kept, reduced = made.reduce
    exact = copy.deepcopy(kept).double()(features.double())
    torch.testing.assert_close(seen[0], copy.deepcopy(reduced).double()(exact), atol=1e-14, rtol=0)
    torch.testing.assert_close(tokens, made(features))


@pytest.mark.parametrize("kind", ["quantum", "classical", "frozen"])
@pytest.mark.parametrize(
    "block", ["qkan(inputs=3,outputs=2)", "quanvolution", "farhi-neven(inputs=3)"]
)
def test_a_model_of_the_zoo_can_take_the_circuits_place(block, kind):
    torch.manual_seed(0)
    config = ProjectionConfig(block=block, kind=kind, tokens=2)
    made = build_projection(config, 7, 5, 0.02)
    made.freeze()
    tokens = made(torch.randn(4, 7))
    assert tokens.shape == (4, 2, 5)
    tokens.square().sum().backward()
    trained = [p for p in made.parameters() if p.requires_grad and p.numel()]
    assert all(p.grad.isfinite().all() for p in trained)
    circuit = sum(p.numel() for p in made.circuit_parameters())
    left = sum(p.numel() for p in made.parameters() if not p.requires_grad)
    assert left == (circuit if kind == "frozen" else 0)


def test_a_block_that_can_not_stand_there_is_refused():
    with pytest.raises(UnknownNameError, match="block of the zoo 'paqm'"):
        ProjectionConfig(block="paqm")
    with pytest.raises(InputError, match="block qkan: inputs is a whole number"):
        ProjectionConfig(block="qkan(inputs=0)")
    with pytest.raises(InputError, match="a block goes with angles"):
        ProjectionConfig(block="qkan", encoding="amplitude")
    with pytest.raises(InputError, match="block 'fast-weights' takes tokens"):
        ProjectionConfig(block="fast-weights")
