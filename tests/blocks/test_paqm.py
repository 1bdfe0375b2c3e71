import math

import pytest
import torch
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.blocks import BLOCK_KINDS, PAQM, PAQMConfig
from qvlm_qiskit.blocks.paqm import position_angles

WIDTH = 6


def block(kind="quantum", n=2, layers=1, **options):
    torch.manual_seed(0)
    return PAQM(PAQMConfig(num_qubits=n, num_layers=layers, kind=kind, **options), WIDTH)


@pytest.mark.parametrize(("n", "layers"), [(1, 1), (2, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("gate", ["scalar", "channel"])
def test_all_kinds_have_equally_many_parameters(parameter_count, n, layers, gate):
    counts = {kind: parameter_count(block(kind, n, layers, gate=gate)) for kind in BLOCK_KINDS}
    linear = WIDTH * 2**n + 2**n + n * WIDTH + WIDTH
    expected = linear + 4 * n * layers + (WIDTH if gate == "channel" else 1)
    assert counts == dict.fromkeys(BLOCK_KINDS, expected)


def test_the_defaults_are_the_sources_sizes():
    config = PAQMConfig()
    assert (config.num_qubits, config.num_layers, config.kind) == (6, 2, "quantum")


def test_around_the_circuit_are_two_linear_maps_and_a_gate():
    paqm = block(n=3)
    assert (paqm.reduce.in_features, paqm.reduce.out_features) == (WIDTH, 8)
    assert (paqm.expand.in_features, paqm.expand.out_features) == (3, WIDTH)


@pytest.mark.parametrize("kind", BLOCK_KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (4, 3)])
def test_the_shape_is_kept(kind, shape):
    embeddings = torch.randn(*shape, WIDTH)
    positions = torch.arange(shape[1])[None]
    paqm = block(kind)
    values = paqm(embeddings, positions)
    assert values.shape == embeddings.shape
    torch.testing.assert_close(values, paqm(embeddings, positions.expand(shape)))


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_an_empty_sequence_stays_empty(kind):
    values = block(kind)(torch.zeros(1, 0, WIDTH), torch.zeros(1, 0, dtype=torch.long))
    assert values.shape == (1, 0, WIDTH)


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_the_same_token_is_another_one_at_another_position(kind):
    paqm = block(kind, n=3)
    token = torch.randn(WIDTH).expand(1, 6, WIDTH)
    values = paqm(token, torch.arange(6)[None])[0].detach()
    distances = torch.cdist(values, values) + torch.eye(6)
    assert float(distances.min()) > 1e-4
    same = paqm(token, torch.full((1, 6), 4))[0]
    torch.testing.assert_close(same, same[:1].expand(6, WIDTH), atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_tokens_are_mixed_with_their_position_and_not_with_each_other(kind):
    paqm = block(kind)
    embeddings, positions = torch.randn(2, 4, WIDTH), torch.tensor([[0, 3, 1, 7]] * 2)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        paqm(embeddings[:, order], positions[:, order]), paqm(embeddings, positions)[:, order]
    )


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_position_angles_are_the_documented_formula(n):
    positions = torch.tensor([[0, 1, 17], [1000, 3, 2]])
    angles = position_angles(positions, n)
    assert angles.shape == (2, 3, n)
    for row in range(2):
        for column in range(3):
            for i in range(n):
                phase = int(positions[row, column]) / 10000 ** (2 * (i // 2) / n)
                wave = math.sin(phase) if i % 2 == 0 else math.cos(phase)
                expected = pytest.approx(math.pi * wave, abs=2e-4)
                assert float(angles[row, column, i]) == expected


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_every_parameter_gets_a_finite_gradient(kind):
    paqm = block(kind, n=3, layers=2)
    embeddings = torch.randn(2, 4, WIDTH, requires_grad=True)
    (paqm(embeddings, torch.arange(4)[None]) * torch.randn(2, 4, WIDTH)).sum().backward()
    for name, parameter in paqm.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name
    assert embeddings.grad.any()


def test_frozen_trains_everything_but_its_circuit():
    paqm = block("frozen", n=3)
    before = paqm.core.layer.weight.detach().clone()
    optimiser = torch.optim.SGD([p for p in paqm.parameters() if p.requires_grad], lr=1.0)
    paqm(torch.randn(2, 4, WIDTH), torch.arange(4)[None]).square().sum().backward()
    optimiser.step()
    assert paqm.core.layer.weight.grad is None
    torch.testing.assert_close(paqm.core.layer.weight.detach(), before, rtol=0, atol=0)
    others = [p for n, p in paqm.named_parameters() if n != "core.layer.weight"]
    assert all(p.requires_grad and p.grad is not None for p in others)


def test_frozen_stays_frozen_through_a_state_dict():
    source, target = block("quantum"), block("frozen")
    target.load_state_dict(source.state_dict())
    assert not target.core.layer.weight.requires_grad
    embeddings = torch.randn(1, 3, WIDTH)
    positions = torch.arange(3)[None]
    torch.testing.assert_close(target(embeddings, positions), source(embeddings, positions))


def test_the_output_is_the_gate_between_circuit_and_embedding():
    paqm = block(n=2)
    embeddings, positions = torch.randn(1, 3, WIDTH), torch.arange(3)[None]
    quantum = paqm.expand(paqm.core(paqm.reduce(embeddings), position_angles(positions, 2)))
    torch.testing.assert_close(paqm(embeddings, positions), paqm.gate(quantum, embeddings))


def test_another_exact_estimator_gives_the_same():
    paqm = block(n=2, layers=2)
    embeddings, positions = torch.randn(1, 3, WIDTH), torch.arange(3)[None]
    exact = paqm(embeddings, positions).detach()
    with paqm.core.layer.run_on(StatevectorEstimator()), torch.no_grad():
        torch.testing.assert_close(paqm(embeddings, positions), exact, atol=1e-4, rtol=0)


def test_half_precision_and_autocast_run():
    embeddings, positions = torch.randn(2, 3, WIDTH), torch.arange(3)[None]
    assert block().bfloat16()(embeddings.bfloat16(), positions).dtype == torch.bfloat16
    paqm = block()
    plain = paqm(embeddings, positions)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = paqm(embeddings, positions)
    torch.testing.assert_close(mixed.float(), plain, atol=0.1, rtol=0.1)
