import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.ising import Ising, all_bits


def random_ising(seed, size=4):
    rng = np.random.default_rng(seed)
    return Ising(rng.normal(size=size), np.triu(rng.normal(size=(size, size)), 1), rng.normal())


def test_bits_are_those_of_the_index_the_lowest_first():
    assert all_bits(3)[6].tolist() == [0, 1, 1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_a_qubo_and_its_ising_model_have_the_same_values(seed, size):
    rng = np.random.default_rng(seed)
    matrix, constant = rng.normal(size=(size, size)), rng.normal()
    bits = all_bits(size)
    wanted = constant + np.array([x @ matrix @ x for x in bits])
    ising = Ising.from_qubo(matrix, constant)
    assert np.allclose(ising.energies(bits), wanted)
    again, rest = ising.to_qubo()
    assert np.allclose(rest + np.array([x @ again @ x for x in bits]), wanted)
    assert not np.tril(again, -1).any()


def test_the_operator_has_the_energies_on_its_diagonal():
    ising = random_ising(0)
    diagonal = ising.operator().to_matrix().diagonal().real + ising.constant
    assert np.allclose(diagonal, ising.energies(all_bits(4)))
    nothing = Ising(np.zeros(2), np.zeros((2, 2)), 1.5)
    assert not nothing.operator().to_matrix().any()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("kept", "gone"), [(0, 2), (3, 1)])
def test_a_merged_spin_is_the_other_one(kept, gone, sign):
    ising = random_ising(1)
    fewer = ising.merged(kept, gone, sign)
    for bits in all_bits(4):
        if (bits[gone] == bits[kept]) == (sign > 0):
            assert fewer.energies(np.delete(bits, gone)) == pytest.approx(ising.energies(bits))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_fixed_spin_has_its_value(sign):
    ising = random_ising(2)
    fewer = ising.fixed(1, sign)
    for bits in all_bits(4):
        if bits[1] == (sign < 0):
            assert fewer.energies(np.delete(bits, 1)) == pytest.approx(ising.energies(bits))


def test_what_is_no_ising_model_is_refused():
    with pytest.raises(InputError, match="couplings must be zero on and below"):
        Ising(np.zeros(2), np.eye(2))
    with pytest.raises(InputError, match=r"couplings must be \(2, 2\), got \(3, 3\)"):
        Ising(np.zeros(2), np.zeros((3, 3)))
    with pytest.raises(InputError, match=r"must be square, got \(2, 3\)"):
        Ising.from_qubo(np.zeros((2, 3)))
