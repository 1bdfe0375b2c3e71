import numpy as np
import pytest
import rustworkx as rx

from qvlm_qiskit.quantum.ising import all_bits
from qvlm_qiskit.studies.shrinking.cells import couplings
from qvlm_qiskit.studies.shrinking.problems import Assignment, IndependentSet
from qvlm_qiskit.studies.shrinking.shrink import shrink

PROBLEM = IndependentSet(rx.generators.path_graph(6))


def exact_scores(ising):
    """Correlations of the state of least energy: they can't be wrong."""
    every = all_bits(ising.size)
    spins = 1.0 - 2 * every[int(np.argmin(ising.energies(every)))]
    return spins, np.outer(spins, spins)


def energy(problem, bits):
    return float(problem.ising().energies(bits))


@pytest.mark.parametrize("left", [1, 2, 4, 6])
def test_right_correlations_lead_to_the_best_answer(left):
    found = shrink(PROBLEM, exact_scores, left)
    assert energy(PROBLEM, found.bits) == pytest.approx(-3)
    assert (found.merges, found.refused) == (6 - left, 0)


def test_without_merges_all_is_tried():
    found = shrink(PROBLEM, couplings, 6)
    assert found.merges == 0 and energy(PROBLEM, found.bits) == pytest.approx(-3)


def test_merges_that_the_constraints_do_not_allow_are_refused():
    """Scores that want everyone in the set: neighbours can't be."""

    def everyone(ising):
        return -np.ones(ising.size), np.zeros((ising.size, ising.size))

    found = shrink(PROBLEM, everyone, 1)
    assert found.refused and PROBLEM.feasible(found.bits)


def test_an_assignment_is_not_merged_into_an_empty_row():
    problem = Assignment(np.array([[1, 5], [5, 1]]))

    def nobody(ising):
        return np.ones(ising.size), np.zeros((ising.size, ising.size))

    found = shrink(problem, nobody, 1)
    assert found.refused and problem.feasible(found.bits)


def test_wrong_correlations_are_followed_where_they_are_allowed():
    def all_alike(ising):
        return np.zeros(ising.size), np.ones((ising.size, ising.size))

    found = shrink(PROBLEM, all_alike, 1)
    assert found.bits.sum() == 0 and found.merges == 5
