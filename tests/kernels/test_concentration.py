import numpy as np
import pytest
from scipy.stats import unitary_group

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels import concentration, of_random_states


def test_entries_above_the_diagonal_count():
    matrix = np.array([[1, 0.2, 0.4], [0.2, 1, 0.6], [0.4, 0.6, 1]])
    found = concentration(matrix)
    assert found == (pytest.approx(0.4), pytest.approx(0.04), 3)
    assert found.shots == pytest.approx(0.4 * 0.6 / 0.04)


def test_random_states_have_the_moments_that_are_said():
    states = unitary_group.rvs(8, size=4000, random_state=0)[:, 0, :]
    fidelities = np.abs(states[:, 0]) ** 2
    mean, variance = of_random_states(3)
    assert fidelities.mean() == pytest.approx(mean, rel=0.05)
    assert fidelities.var() == pytest.approx(variance, rel=0.1)


def test_the_smallest_variance_of_random_states_is_a_number():
    mean, variance = of_random_states(511)
    assert mean == 2.0**-511 and variance == pytest.approx(2.0**-1022)


@pytest.mark.parametrize("qubits", [0, -1, 512, 5000, 1.5, "a"])
def test_other_numbers_of_qubits_are_refused(qubits):
    with pytest.raises(InputError, match=f"qubits is a whole number from 1 to 511, got {qubits!r}"):
        of_random_states(qubits)


def test_what_is_no_kernel_matrix_is_refused():
    for bad, says in (
        (np.ones((2, 3)), "is square"), (np.ones((2, 2)), "3 rows at least"),
        (np.full((3, 3), np.nan), "NaN"), ([[1, 2], [3]], "rows of real numbers"),
        (np.eye(3) * 1j, "real numbers, got complex128"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            concentration(bad)
