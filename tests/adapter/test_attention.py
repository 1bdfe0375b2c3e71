"""Attention whose scores or values a circuit gives, against loops and Qiskit's statevector."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.adapter.attention import QuantumAttention
from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.variants import build_projection
from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.inference.same_rows import angles_in_double
from qvlm_qiskit.quantum import TorchEstimator, amplitude_angles, quantum_layers, run_on

SMALL = ProjectionConfig(num_qubits=3, num_layers=2, attention="scores", tokens=2)
WIDTH, HIDDEN = 8, 5


def attention(**changes):
    torch.manual_seed(0)
    return build_projection(replace(SMALL, **changes), WIDTH, HIDDEN, 0.05)


def numbers(module):
    """Its parameters as arrays in double."""
    return {n: p.detach().numpy().astype(float) for n, p in module.named_parameters()}


def normalised(row):
    return (row - row.mean()) / np.sqrt(row.var() + 1e-5)


def read(made, own, region):
    """What the circuit gives for one region."""
    network = made.core.layer.neural_network
    if made.config.encoding == "amplitude":
        angles = amplitude_angles(torch.tensor(region)).numpy()
    else:
        reduced = own["reduce.weight"] @ normalised(region) + own["reduce.bias"]
        angles = np.pi / 2 * np.tanh(reduced)
    order = [*network.input_params, *network.weight_params]
    values = [*angles, *own["core.layer.weight"]]
    state = Statevector(
        network.circuit.assign_parameters(dict(zip(order, values, strict=True))).decompose()
    )
    return np.array([state.expectation_value(SparsePauliOp(o)).real for o in network.observables])


def slow(made, own, picture):
    """Tokens of one picture."""
    keys = [read(made, own, region) for region in picture]
    values = [own["beside.weight"] @ normalised(r) + own["beside.bias"] for r in picture]
    if made.config.attention == "values":
        keys, values = values, keys
    tokens = []
    for query in own["queries"]:
        scores = np.array([query @ key for key in keys])
        weights = np.exp(scores) / np.exp(scores).sum()
        mixed = sum(weight * value for weight, value in zip(weights, values, strict=True))
        tokens.append(0.05 * (own["expand.weight"] @ mixed + own["expand.bias"]))
    return np.array(tokens)


KINDS = list(product(["scores", "values"], ["angle", "amplitude"], ["zz", "z"]))


@pytest.mark.parametrize(("part", "encoding", "reading"), KINDS)
def test_tokens_are_those_of_the_loops(part, encoding, reading):
    made = attention(attention=part, encoding=encoding, read=reading)
    pictures = torch.randn(2, 4, WIDTH)
    found, own = made(pictures), numbers(made)
    assert found.shape == (2, 2, HIDDEN)
    for row, picture in zip(found, pictures, strict=True):
        expected = slow(made, own, picture.numpy().astype(float))
        np.testing.assert_allclose(row.detach().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("part", ["scores", "values"])
def test_gradients_are_those_of_the_loops(part):
    """By differences of the slow one, at a few numbers of each parameter."""
    made, picture = attention(attention=part), torch.randn(1, 3, WIDTH)
    probe = np.random.default_rng(1).normal(size=(2, HIDDEN))
    (made(picture)[0] * torch.tensor(probe)).sum().backward()
    row, step = picture[0].numpy().astype(float), 1e-4
    for name, parameter in made.named_parameters():
        for place in list(np.ndindex(*parameter.shape))[:: max(1, parameter.numel() // 3)]:
            ends = []
            for sign in (1, -1):
                own = numbers(made)
                own[name][place] += sign * step
                ends.append((slow(made, own, row) * probe).sum())
            found = parameter.grad[place].item()
            assert found == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=2e-6), name


def test_the_order_of_regions_is_nothing_to_it_and_weights_are_shares():
    made, pictures = attention(), torch.randn(2, 4, WIDTH)
    torch.testing.assert_close(made(pictures[:, [2, 0, 3, 1]]), made(pictures))
    weights = made.weights(torch.randn(2, 4, made.queries.shape[-1]))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_twin_has_the_same_bottleneck_and_number_of_parameters(n):
    for part, ansatz, reading, keep in product(
        ("scores", "values"), ("mixed", "source"), ("zz", "z"), (None, 6)
    ):
        same = {"num_qubits": n, "attention": part, "ansatz": ansatz, "read": reading, "keep": keep}
        made = [attention(kind=kind, **same) for kind in ("quantum", "classical", "frozen")]
        assert len({sum(p.numel() for p in one.parameters()) for one in made}) == 1
        assert all(one(torch.randn(2, 4, WIDTH)).shape == (2, 2, HIDDEN) for one in made)
        assert not quantum_layers(made[1])


def test_a_frozen_circuit_is_not_trained_and_queries_are():
    frozen = attention(kind="frozen")
    frozen(torch.randn(2, 4, WIDTH)).square().sum().backward()
    (layer,) = quantum_layers(frozen).values()
    assert layer.weight.grad is None
    for name in ("queries", "beside.weight", "reduce.weight", "expand.weight"):
        assert frozen.get_parameter(name).grad.abs().max() > 0


@pytest.mark.parametrize("part", ["scores", "values"])
def test_tokens_have_about_the_deviation_of_the_embeddings(part):
    """That of regions that are alike; means over different ones have half of it."""
    made = attention(attention=part, num_qubits=4)
    one = torch.randn(2000, 1, WIDTH)
    assert 0.5 < float(made(one).detach().std()) / 0.05 < 2
    different = torch.randn(2000, 9, WIDTH)
    assert 0.25 < float(made(different).detach().std()) / 0.05 < 2


class Counting(TorchEstimator):
    """Exact, and counts the rows it is asked."""

    rows = 0

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.rows += sum(pub[2].shape[-1] for pub in pubs)
        return super().run(pubs, precision=precision)


def test_the_circuit_runs_once_for_a_region_however_many_tokens_there_are():
    made, counting = attention(tokens=5), Counting()
    with run_on(made, counting), torch.no_grad():
        made(torch.randn(2, 4, WIDTH))
    assert counting.rows == 2 * 4


def test_it_runs_under_noise_and_is_mitigated():
    made, pictures, off = attention(), torch.randn(2, 4, WIDTH), {}
    exact = made(pictures).detach()
    for mitigation in ("none", "zne"):
        with (
            run_on(made, open_backend("noisy:fake_manila", precision=0, mitigation=mitigation)),
            torch.no_grad(),
        ):
            off[mitigation] = float((made(pictures) - exact).abs().max())
    assert 0 < off["zne"] < off["none"] < 0.05


def test_what_becomes_angles_is_in_double_where_rows_are_bought():
    made, pictures, seen = attention(), torch.randn(2, 4, WIDTH), []
    made.core.bounded.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with angles_in_double(made):
        tokens = made(pictures)
    assert seen[0].dtype == torch.float64
    assert seen[0].shape == (2, 4, 3)
    torch.testing.assert_close(tokens, made(pictures))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_features_of_any_precision_become_tokens_in_single(dtype):
    made, pictures = attention(), torch.randn(2, 4, WIDTH)
    tokens = made(pictures.to(dtype))
    assert tokens.dtype == torch.float32
    torch.testing.assert_close(tokens, made(pictures), atol=0.05, rtol=0.1)


def test_hostile_features():
    made = attention()
    huge = 1e30 * torch.randn(2, 4, WIDTH)
    torch.testing.assert_close(made(huge), made(huge / 1e29), atol=1e-4, rtol=1e-3)
    with pytest.raises(InputError, match="NaN or infinity"):
        made(torch.full((1, 4, WIDTH), torch.nan))
    with pytest.raises(InputError, match=r"takes regions of pictures.*got \(4, 8\)"):
        made(torch.randn(4, WIDTH))


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"attention": "score"}, UnknownNameError, "did you mean 'scores'"),
        ({"encoding": "amplitudes"}, UnknownNameError, "did you mean 'amplitude'"),
        ({"kind": "linear"}, InputError, "kind linear has no attention"),
    ],
)
def test_what_can_not_be_built_is_refused(changes, error, says):
    with pytest.raises(error, match=says) as caught:
        replace(SMALL, **changes)
    assert "None" not in str(caught.value)


def test_amplitudes_are_as_many_as_features_or_those_that_are_kept():
    with pytest.raises(InputError, match=r"4 qubits have 16 amplitudes, and there are 8 features"):
        attention(num_qubits=4, encoding="amplitude")
    made = attention(num_qubits=4, encoding="amplitude", keep=16)
    assert isinstance(made, QuantumAttention)
    assert made(torch.randn(2, 4, WIDTH)).shape == (2, 2, HIDDEN)
