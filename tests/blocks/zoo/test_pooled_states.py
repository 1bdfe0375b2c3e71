"""The products for many samples, against the circuit, gate after gate."""

import pytest
import torch

from qvlm_qiskit.blocks.zoo import build, pooling_qcnn
from qvlm_qiskit.blocks.zoo.pooled_states import pooled_values

NEAR = {torch.float64: 1e-12, torch.float32: 1e-5}


@pytest.fixture(scope="module")
def core():
    torch.manual_seed(0)
    return build("pooling-qcnn").double()


def drawn(core, scale=1.0, count=5):
    """Angles of some samples, and weights of a scale."""
    made = torch.manual_seed(1)
    angles = torch.rand(count, 8, generator=made, dtype=torch.float64) * 2 - 1
    weight = torch.randn(core.layer.weight.shape, generator=made, dtype=torch.float64)
    return (scale * angles).requires_grad_(), (scale * weight).requires_grad_()


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("scale", [1.0, 1e3, 0.0])
def test_values_and_gradients_are_those_of_the_circuit(core, dtype, scale):
    given = [tensor.detach().to(dtype).requires_grad_() for tensor in drawn(core, scale)]
    found = pooled_values(*given)
    exact = [tensor.detach().double().requires_grad_() for tensor in given]
    wanted = core.layer.values(*exact)
    assert found.dtype == dtype
    # angles of features are bounded, and only those of weights are doubled before they are used
    atol = NEAR[dtype] * (10 if scale > 1 and dtype == torch.float32 else 1)
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=atol)
    cotangent = torch.randn_like(wanted)
    ours = torch.autograd.grad(found, given, cotangent.to(dtype))
    theirs = torch.autograd.grad(wanted, exact, cotangent)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one.double(), other, rtol=0, atol=20 * atol)


def test_second_derivatives_and_transforms_are_those_of_the_circuit(core):
    given, cotangent = drawn(core, count=2), torch.randn(2, 2, dtype=torch.float64)
    seconds = []
    for way in (pooled_values, core.layer.values):
        (first,) = torch.autograd.grad(way(*given), given[1], cotangent, create_graph=True)
        seconds.append(torch.autograd.grad(first.square().sum(), given))
        seconds[-1] += (torch.func.jacrev(way, argnums=1)(*given),)
    for ours, theirs in zip(*seconds, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_a_graph_is_used_twice_and_only_for_what_is_wanted(core):
    angles, weight = drawn(core)
    found = pooled_values(angles, weight.detach()).sum()
    (once,) = torch.autograd.grad(found, angles, retain_graph=True)
    (again,) = torch.autograd.grad(found, angles)
    assert torch.equal(once, again)
    (alone,) = torch.autograd.grad(pooled_values(angles.detach(), weight).sum(), weight)
    (whole, _) = torch.autograd.grad(pooled_values(angles, weight).sum(), (weight, angles))
    assert torch.equal(alone, whole)


@pytest.mark.parametrize("lead", [(pooling_qcnn.MANY,), (2, 3, pooling_qcnn.MANY), (4, 5)])
def test_many_samples_have_the_values_of_few(core, lead):
    samples = torch.randn(*lead, 8, dtype=torch.float64)
    few = torch.stack([core(one) for one in samples.reshape(-1, 8)]).view(*lead, 2)
    torch.testing.assert_close(core(samples), few, rtol=0, atol=1e-12)


def test_many_samples_go_by_products_unless_a_machine_or_autocast_is_set(core, monkeypatch):
    seen = []
    monkeypatch.setattr(pooling_qcnn, "pooled_values", lambda *given: seen.append(given) or 1 / 0)
    samples = torch.randn(pooling_qcnn.MANY, 8)
    with pytest.raises(ZeroDivisionError):
        core(samples)
    before = len(seen)
    with torch.autocast("cpu"):
        core(samples)
    with core.layer.run_on(core.layer.neural_network.estimator):
        core(samples)
    build("pooling-qcnn", outputs=1)(samples)
    core(samples[1:])
    assert len(seen) == before == 1


def test_a_precision_of_halves_is_that_of_singles(core):
    samples = torch.randn(pooling_qcnn.MANY, 8).half()
    found = build("pooling-qcnn").float()
    found.load_state_dict(core.state_dict())
    torch.testing.assert_close(found(samples), found(samples.float()).half())
    assert found(samples).dtype == torch.float16


@pytest.mark.parametrize("samples", [5, pooling_qcnn.MANY])
def test_shapes_alone_are_computed_of_any_number_of_samples(samples):
    layer = build("pooling-qcnn").to("meta")
    assert layer(torch.empty(samples, 8, device="meta")).shape == (samples, 2)
