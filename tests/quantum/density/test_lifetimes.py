"""Orders of steps and comings and goings of qubits, against every order of small circuits."""

import numpy as np
import pytest

from qvlm_qiskit.quantum.density.lifetimes import (
    Passage,
    narrow_order,
    numbers,
    passages,
    peak,
)


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
    acts, read = bricks(depth), (depth - 1, depth)
    ordered = [acts[index] for index in narrow_order(acts, read)]
    assert sorted(ordered) == sorted(acts)
    assert peak(ordered, read) == most


def test_three_layers_are_in_the_best_order():
    acts, read = bricks(3), (2, 3)
    every = [[acts[index] for index in order] for order in orders(acts)]
    ordered = [acts[index] for index in narrow_order(acts, read)]
    assert numbers(ordered, read) == min(numbers(order, read) for order in every)


@pytest.mark.parametrize("seed", range(30))
def test_orders_are_allowed_and_never_worse_than_the_given_one(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    acts = [
        tuple(rng.choice(n, int(rng.integers(1, 3)), replace=False).tolist())
        for _ in range(int(rng.integers(1, 12)))
    ]
    read = set(rng.choice(n, int(rng.integers(0, n)), replace=False).tolist())
    order = narrow_order(acts, read)
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
    given = [acts[index] for index in kept[::-1]]
    assert numbers([acts[index] for index in order], read) <= numbers(given, read)
