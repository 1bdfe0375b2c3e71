"""Orders of steps and comings and goings of qubits, against every order of small circuits."""

import numpy as np
import pytest

from qvlm_qiskit.quantum.program.lifetimes import Passage, lives, passages


def bricks(depth):
    """The light cone of the middle of a line."""
    return [(q, q + 1) for layer in range(depth) for q in range(layer, 2 * depth - 1 - layer, 2)]


def orders(acts):
    """All orders that leave every qubit's own steps in theirs."""
    if not acts:
        return [[]]
    found = []
    for first in range(len(acts)):
        if not any(set(acts[first]) & set(acts[other]) for other in range(first)):
            others = [i for i in range(len(acts)) if i != first]
            rest = orders([acts[i] for i in others])
            found += [[first, *(others[i] for i in order)] for order in rest]
    return found


def numbers(acts, read):
    """All states' numbers, counted step by step."""
    wide = [step for step in acts if len(step) > 1]
    total, live = 4 ** len(read), set()
    for at, step in enumerate(wide):
        live |= set(step)
        total += 4 ** len(live)
        live = {q for q in live if q in read or any(q in later for later in wide[at + 1 :])}
    return total


def test_qubits_come_before_their_first_step_and_go_after_their_last():
    found = passages([(0, 1), (2,), (1, 2), (2,)], read=[2])
    assert found == [
        Passage((0, 1), (0,)),
        Passage((2,), ()),
        Passage((), (1,)),
        Passage((), ()),
    ]


@pytest.mark.parametrize(("depth", "most"), [(2, 3), (3, 4), (5, 6), (8, 9)])
def test_a_cone_of_bricks_is_half_as_wide_at_a_time(depth, most):
    acts = bricks(depth)
    found = lives(acts, (depth - 1, depth))
    assert sorted(found.order) == [*range(len(acts))]
    assert found.peak == most


def test_three_layers_are_in_the_best_order():
    acts, read = bricks(3), (2, 3)
    every = [numbers([acts[index] for index in order], read) for order in orders(acts)]
    assert lives(acts, read).numbers == min(every) == 496


@pytest.mark.parametrize("seed", range(30))
def test_orders_are_allowed_and_never_worse_than_the_given_one(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    acts = [
        tuple(rng.choice(n, int(rng.integers(1, 3)), replace=False).tolist())
        for _ in range(int(rng.integers(1, 12)))
    ]
    read = set(rng.choice(n, int(rng.integers(0, n)), replace=False).tolist())
    found = lives(acts, read)
    order = found.order
    assert len(set(order)) == len(order)
    for qubit in range(n):
        own = [index for index in order if qubit in acts[index]]
        assert own == sorted(own)
    seen = set(read)
    kept = []
    for index in reversed(range(len(acts))):
        if seen & set(acts[index]):
            seen |= set(acts[index])
            kept.append(index)
    assert sorted(order) == kept[::-1]
    assert found.numbers == numbers([acts[index] for index in order], read)
    assert found.numbers <= numbers([acts[index] for index in kept[::-1]], read)
