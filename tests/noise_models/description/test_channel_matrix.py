import numpy as np
import pytest
from qiskit.quantum_info import PTM, Choi, SuperOp, average_gate_fidelity, random_quantum_channel

from qvlm_qiskit.basics.pauli_transfer import unitary_ptm
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.channels.matrices import depolarizing_ptm
from qvlm_qiskit.noise_models.description.channel_matrix import (
    as_rows,
    channel_infidelity,
    checked_rows,
    choi_matrix,
    is_identity,
    scaled_rows,
)

RESET = ((1.0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (1.0, 0, 0, 0))


@pytest.fixture(params=[1, 2])
def random_rows(request):
    channel = random_quantum_channel(2**request.param, 2**request.param, seed=3, rank=3)
    return as_rows(PTM(channel).data.real), SuperOp(channel), request.param


def test_a_channel_is_what_quantum_info_makes_of_it(random_rows):
    rows, channel, width = random_rows
    assert checked_rows(rows, width, "x") == rows
    np.testing.assert_allclose(choi_matrix(np.array(rows)), Choi(channel).data, atol=1e-12)
    expected = 1 - average_gate_fidelity(channel)
    assert channel_infidelity(rows) == pytest.approx(expected, abs=1e-12)
    assert channel_infidelity(()) == 0 and is_identity(()) and not is_identity(rows)
    assert is_identity(as_rows(np.eye(4**width)))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (np.eye(3), "4 rows"),
        ([[1, 0], [0, 1]], "4 rows"),
        ([["a"] * 4] * 4, "no matrix of numbers"),
        (np.diag([1, 1, 1, np.nan]), "finite"),
        (np.diag([0.9, 1, 1, 1]), "trace"),
        (np.diag([1, 1, 1, -1]), "not completely positive"),  # the transpose
        (np.diag([1, 1.1, 1, 1]), "not completely positive"),
    ],
)
def test_what_is_no_channel_is_refused(rows, says):
    with pytest.raises(NoiseModelError, match=says):
        checked_rows(np.asarray(rows, dtype=object), 1, "sx on [0]")
    with pytest.raises(NoiseModelError, match="on 3 qubits"):
        checked_rows(np.eye(64), 3, "ccx")


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 2.0, 2.6])
def test_a_scaled_channel_is_one_and_grows_linearly_at_first(random_rows, factor):
    rows, _, width = random_rows
    checked_rows(scaled_rows(rows, factor), width, "x")
    weak = as_rows(np.eye(4**width) + 1e-6 * (np.array(rows) - np.eye(4**width)))
    grown = np.array(scaled_rows(weak, factor)) - np.eye(4**width)
    once = np.array(weak) - np.eye(4**width)
    np.testing.assert_allclose(grown, factor * once, atol=1e-11)


def test_whole_factors_are_repetitions():
    turn = unitary_ptm(np.diag([1, np.exp(0.1j)]))
    tripled = unitary_ptm(np.diag([1, np.exp(0.3j)]))
    np.testing.assert_allclose(scaled_rows(as_rows(turn), 3.0), tripled, atol=1e-14)
    assert is_identity(scaled_rows(RESET, 0.0))
    np.testing.assert_allclose(scaled_rows(RESET, 5.5), RESET, atol=1e-14)
    half = scaled_rows(as_rows(depolarizing_ptm(0.2, 1)), 0.5)
    np.testing.assert_allclose(half, depolarizing_ptm(0.1, 1), atol=1e-15)
