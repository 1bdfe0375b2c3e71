import math

import numpy as np
import pytest
import torch

from qvlm_qiskit.blocks.cores.classical import ClassicalCore
from qvlm_qiskit.blocks.cores.shape import ENCODINGS, CoreShape


def made(shape):
    torch.manual_seed(0)
    core = ClassicalCore(shape).double()
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter)
    return core


def by_hand(core, features):
    """The documented formulas on plain numbers."""
    shape, n = core.shape, core.shape.num_qubits
    thetas = [math.pi / 2 * math.tanh(value) for value in features]
    hidden = [0.0] * n
    for index, layer in enumerate(core.weight.tolist()):
        added = [0.0] * n
        if shape.encoding == "re-upload":
            scale, offset = core.angles.scale[index].tolist(), core.angles.offset[index].tolist()
            added = [math.sin(s * t + o) for s, t, o in zip(scale, thetas, offset, strict=True)]
        elif index == 0:
            on = [[t for q, t in zip(shape.angle_qubits, thetas, strict=True) if q == i] for i in
                  range(n)]  # fmt: skip
            added = [sum(map(math.sin, own)) / math.sqrt(len(own)) for own in on]
        hidden = ring([a + b for a, b in zip(hidden, added, strict=True)], layer)
    return pooled(core, hidden)


def ring(hidden, layer):
    a, b, c = layer[:3]
    return [math.tanh(a[i] * h + b[i] * hidden[i - 1] + c[i]) for i, h in enumerate(hidden)]


def pooled(core, hidden):
    weights = iter([] if core.pooled is None else core.pooled.weight.tolist())
    for step in range(core.shape.pooling):
        width = len(hidden)
        if step:
            hidden = ring(hidden, [[next(weights) for _ in range(width)] for _ in range(3)])
        own, other = ([next(weights) for _ in range(width // 2)] for _ in range(2))
        pairs = [math.tanh(own[i] * hidden[2 * i] + other[i] * hidden[2 * i + 1])
                 for i in range(width // 2)]  # fmt: skip
        hidden = [*pairs, *hidden[2 * (width // 2) :]]
    assert next(weights, None) is None
    return hidden


@pytest.mark.parametrize("encoding", ["angle", "re-upload", "mps"])
@pytest.mark.parametrize("pooling", [0, 1, 3])
def test_the_twin_is_the_documented_formula(encoding, pooling):
    core = made(CoreShape(5, 2, encoding=encoding, pooling=pooling))
    features = torch.randn(core.shape.features, dtype=torch.float64)
    found = core(features).detach().numpy()
    np.testing.assert_allclose(found, by_hand(core, features.tolist()), atol=1e-12)


def test_shapes_stay_and_values_lie_between_minus_one_and_one(shape):
    core = made(shape)
    for lead in [(), (2, 3)]:
        positions = torch.randn(*lead, shape.num_qubits) if shape.positional else None
        found = core(10 * torch.randn(*lead, shape.features, dtype=torch.float64), positions)
        assert found.shape == (*lead, shape.outputs)
        assert float(found.detach().abs().max()) <= 1


def test_every_trainable_number_and_feature_matters(shape):
    core = made(shape)
    features = torch.randn(6, shape.features, dtype=torch.float64, requires_grad=True)
    positions = torch.randn(6, shape.num_qubits) if shape.positional else None
    (core(features, positions) * torch.randn(6, shape.outputs)).sum().backward()
    lonely = shape.num_qubits == 1  # one amplitude of two, squared and summed, is no more than one
    for tensor in (features, *core.parameters()):
        assert torch.isfinite(tensor.grad).all()
        # the first ring of a core that loads in every layer begins with nothing
        assert (tensor.grad != 0).float().mean() > (0.4 if lonely else 0.9)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_half_precision_stays(encoding):
    core = ClassicalCore(CoreShape(3, 1, encoding=encoding, pooling=1))
    assert core(torch.randn(2, core.shape.features).bfloat16()).dtype == torch.bfloat16
