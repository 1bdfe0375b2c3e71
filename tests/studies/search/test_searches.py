import numpy as np
import pytest

from qvlm_qiskit.studies.search.searches import bayesian, random_search, reinforce

POINTS = np.random.default_rng(0).normal(size=(200, 2))
VALUES = np.exp(-((POINTS - [1.0, -1.0]) ** 2).sum(1))
BUDGET = 48


def found_by(search, seed, *given):
    asked = search(VALUES, BUDGET, np.random.default_rng(seed), *given)
    return asked, VALUES[asked].max()


@pytest.mark.parametrize(
    ("search", "given"), [(random_search, ()), (reinforce, (POINTS,)), (bayesian, (POINTS,))]
)
def test_every_circuit_is_asked_for_once_at_most(search, given):
    asked, _ = found_by(search, 0, *given)
    assert len(asked) == len(set(asked)) == BUDGET
    assert asked == found_by(search, 0, *given)[0] != found_by(search, 1, *given)[0]
    assert len(search(VALUES, 8, np.random.default_rng(0), *given)) == 8


def test_a_bayesian_search_finds_the_top_of_a_smooth_hill():
    ranks = [int((VALUES > found_by(bayesian, seed, POINTS)[1]).sum()) for seed in range(5)]
    assert max(ranks) == 0
    by_chance = [int((VALUES > found_by(random_search, seed)[1]).sum()) for seed in range(5)]
    assert sum(by_chance) > 0


def test_a_policy_learns_where_good_points_are():
    """The second half of what it asks for is better than the first, and than the average."""
    gains = []
    for seed in range(5):
        asked = reinforce(VALUES, 150, np.random.default_rng(seed), POINTS)
        gains.append(VALUES[asked[16:64]].mean() - VALUES.mean())
    assert np.mean(gains) > 0


def test_values_that_are_all_alike_can_be_searched():
    flat = np.ones(40)
    assert len(bayesian(flat, 30, np.random.default_rng(0), POINTS[:40])) == 30
