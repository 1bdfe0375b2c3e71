import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.quantum.ising import Ising, all_bits
from qvlm_qiskit.quantum.qaoa import train_qaoa


def ring(size):
    """Neighbours want to differ."""
    couplings = np.zeros((size, size))
    for i in range(size):
        couplings[min(i, (i + 1) % size), max(i, (i + 1) % size)] = 1.0
    return Ising(np.zeros(size), couplings)


def test_probabilities_and_correlations_are_those_of_the_circuit():
    rng = np.random.default_rng(0)
    ising = Ising(rng.normal(size=3), np.triu(rng.normal(size=(3, 3)), 1), 2.0)
    found = train_qaoa(ising, 2, 2, 5, 0)
    state = Statevector(found.circuit.assign_parameters(found.angles))
    assert np.allclose(found.probabilities, state.probabilities())
    single, pairs = found.correlations()
    for i in range(3):
        z = SparsePauliOp.from_sparse_list([("Z", [i], 1)], 3)
        assert single[i] == pytest.approx(state.expectation_value(z).real)
        for j in range(i):
            zz = SparsePauliOp.from_sparse_list([("ZZ", [i, j], 1)], 3)
            assert pairs[i, j] == pytest.approx(state.expectation_value(zz).real)
    assert found.energy == pytest.approx(state.probabilities() @ ising.energies(all_bits(3)))
    assert found.evaluations == 2 * 6


def test_one_layer_on_a_ring_reaches_what_theory_says():
    """On a ring of four or more, p = 1 satisfies 3/4 of the edges: energy -n/2."""
    found = train_qaoa(ring(6), 1, 8, 80, 0)
    assert found.energy == pytest.approx(-3.0, abs=0.02)
    _, pairs = found.correlations()
    assert pairs[0, 1] == pytest.approx(-0.5, abs=0.02)


def test_more_layers_are_not_worse():
    energies = [train_qaoa(ring(6), layers, 6, 80, 0).energy for layers in (1, 2)]
    assert energies[1] < energies[0] - 0.3
