import numpy as np
import pytest
import rustworkx as rx

from qvlm_qiskit.quantum.ising import all_bits
from qvlm_qiskit.studies.shrinking.options import PROBLEMS
from qvlm_qiskit.studies.shrinking.problems import (
    Assignment,
    IndependentSet,
    Knapsack,
    make_problem,
)

SEEDS = range(4)


def problem_of(name, seed):
    return make_problem(name, nodes=6, items=4, workers=3, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_least_energy_is_the_best_answer(name, seed):
    problem = problem_of(name, seed)
    ising = problem.ising()
    every = all_bits(ising.size)
    energies = ising.energies(every)
    lowest = every[int(np.argmin(energies))][: problem.answers]
    assert problem.feasible(lowest)
    assert problem.value(lowest) == problem.best()
    assert energies.min() == pytest.approx(-problem.best())


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_can_be_repaired_and_good_ones_are_kept(name, seed):
    problem = problem_of(name, seed)
    best = problem.best()
    for bits in all_bits(problem.answers):
        found = problem.repaired(bits)
        assert problem.feasible(found)
        if problem.feasible(bits):
            assert problem.value(found) >= problem.value(bits)
            assert (found >= bits).all()
        assert 0 < problem.ratio(problem.value(found), best) <= 1


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_not_allowed_has_no_feasible_answer(name):
    problem = problem_of(name, 0)
    rng = np.random.default_rng(1)
    answers = [bits for bits in all_bits(problem.answers) if problem.feasible(bits)]
    refused = 0
    for _ in range(100):
        places = rng.choice(problem.answers, 3, replace=False)
        partial = {int(place): int(rng.integers(2)) for place in places}
        if not problem.allows(partial):
            refused += 1
            assert not any(all(bits[k] == v for k, v in partial.items()) for bits in answers)
    assert refused


def test_answers_that_are_known_by_hand():
    star = IndependentSet(rx.generators.star_graph(4))
    assert star.greedy().tolist() == [0, 1, 1, 1] and star.best() == 3
    assert star.repaired(np.array([1, 1, 0, 0], dtype=np.int8)).sum() == 3
    sack = Knapsack(np.array([6, 5, 5]), np.array([3, 2, 2]), 4)
    assert sack.best() == 10
    assert sack.value(sack.repaired(np.ones(3, dtype=np.int8))) == 10
    pairs = Assignment(np.array([[1, 2], [2, 9]]))
    assert pairs.best() == -4
    assert pairs.value(pairs.greedy()) == -10
    assert pairs.ratio(-10, -4) == 0.4


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 7, 8])
def test_slack_bits_reach_every_rest_and_no_more(capacity):
    sack = Knapsack(np.array([1]), np.array([capacity + 1]), capacity)
    ising = sack.ising()
    every = all_bits(ising.size)
    without = every[every[:, 0] == 0]
    # the lowest energy without any item is that of a full slack
    assert ising.energies(without).min() == pytest.approx(0)
