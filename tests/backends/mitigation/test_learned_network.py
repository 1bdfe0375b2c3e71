"""The network of learned extrapolation, against the linear extrapolation that it starts as."""

import numpy as np
import pytest
import torch

from qvlm_qiskit.backends.mitigation import learned_network
from qvlm_qiskit.backends.mitigation.learned_network import (
    MEMBERS,
    ExtrapolationEnsemble,
    LearnedLimit,
)

SCALES, WEIGHTS = (1.0, 3.0, 5.0), (13 / 12, 1 / 3, -5 / 12)


@pytest.fixture
def network():
    return ExtrapolationEnsemble(SCALES, WEIGHTS, hidden=4, seed=1)


def decayed(exact):
    """Values (C, O, K) that fall off exponentially with the noise, which no line follows."""
    return exact[..., None] * np.exp(-0.3 * np.array(SCALES))


def test_an_untrained_member_is_linear_extrapolation(network):
    values = np.random.default_rng(1).uniform(-1, 1, (5, 3))
    limits = network(torch.as_tensor(values)).detach().numpy()
    assert limits.shape == (MEMBERS, 5)
    np.testing.assert_allclose(limits, np.tile(values @ WEIGHTS, (MEMBERS, 1)), atol=1e-12)


def test_training_learns_what_a_line_misses(network, monkeypatch):
    monkeypatch.setattr(learned_network, "STEPS", 100)
    exact = np.random.default_rng(2).uniform(-1, 1, (40, 2))
    network.fit(decayed(exact[:30]), exact[:30])
    unseen = decayed(exact[30:]).reshape(-1, 3)
    found, _ = LearnedLimit(network, {}, 10).limits(unseen, np.zeros_like(unseen))
    expected = exact[30:].ravel()
    assert np.abs(found - expected).max() < 0.2 * np.abs(unseen @ WEIGHTS - expected).max()


def test_the_seed_decides_what_is_learned(monkeypatch):
    monkeypatch.setattr(learned_network, "STEPS", 5)
    exact = np.random.default_rng(3).uniform(-1, 1, (8, 1))
    learned = []
    for seed in (1, 1, 2):
        made = ExtrapolationEnsemble(SCALES, WEIGHTS, hidden=2, seed=seed)
        made.fit(decayed(exact), exact)
        learned.append(made.linear.detach().numpy())
    np.testing.assert_array_equal(learned[0], learned[1])
    assert not np.array_equal(learned[0], learned[2])


def test_errors_of_the_values_pass_through_the_weights(network):
    """Untrained members agree, so that only the values' own errors are left."""
    values, errors = np.full((2, 3), 0.5), np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]])
    _, stds = LearnedLimit(network, {}, 0).limits(values, errors)
    expected = np.sqrt(np.sum((np.array(WEIGHTS) * errors) ** 2, axis=1))
    np.testing.assert_allclose(stds, expected, atol=1e-12)
