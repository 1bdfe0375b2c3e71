import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from qiskit.quantum_info import SuperOp, average_gate_fidelity
from qiskit_aer.noise import depolarizing_error, pauli_error

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import (
    GateNoise,
    NoiseSpec,
    QubitNoise,
    Snapshot,
)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: QubitNoise(p_meas1_prep0=1.2), "p_meas1_prep0"),
        (lambda: QubitNoise(p_meas0_prep1=-0.1), "p_meas0_prep1"),
        (lambda: QubitNoise(p_meas0_prep1=math.nan), "p_meas0_prep1"),
        (lambda: QubitNoise(t1_us=10.0, t2_us=20.1), "2·t1_us"),
        (lambda: QubitNoise(t1_us=0.0), "t1_us"),
        (lambda: GateNoise("cz", (0, 1), 2, error=1.5), "error of cz"),
        (lambda: GateNoise("cz", (0, 1), 2, duration_ns=-1.0), "duration_ns"),
        (lambda: GateNoise("cz", (0,), 2), "width 2"),
        (lambda: NoiseSpec("x", (), (), (GateNoise("sx", (0,), 1),)), "outside"),
        (lambda: NoiseSpec("x", (), (QubitNoise(),), (), (1, 2)), "physical qubits"),
    ],
)
def test_unphysical_values_are_refused(make, says):
    with pytest.raises(NoiseModelError, match=says):
        make()


def test_a_snapshot_is_as_old_as_its_calibration_where_that_is_known():
    def days_ago(days):
        return (datetime.now(UTC) - timedelta(days=days)).isoformat()

    assert Snapshot("d", days_ago(5), days_ago(1)).age_days == pytest.approx(5, abs=0.01)
    assert Snapshot("d", None, days_ago(1)).age_days == pytest.approx(1, abs=0.01)


def test_the_worst_gate_leaves_nothing_of_a_state():
    found = [GateNoise("u", (), width).max_error for width in (1, 2, 3)]
    assert found == pytest.approx([2 / 3, 4 / 5, 8 / 9])


def test_the_infidelity_of_a_gate_is_that_of_its_channel():
    """Average fidelity of what the engine applies, by Qiskit."""
    rates = (("XI", 0.004), ("ZZ", 0.01), ("IY", 0.002))
    gate = GateNoise("cz", (0, 1), 2, error=0.01, rates=rates)
    channel = SuperOp(depolarizing_error(0.01 * 4 / 3, 2)).compose(_flips(rates))
    expected = 1 - average_gate_fidelity(channel)
    assert gate.infidelity == pytest.approx(expected, rel=1e-9)
    assert GateNoise("cz", (0, 1), 2, error=0.01).infidelity == 0.01


def _flips(rates):
    whole = SuperOp(np.eye(16))
    for pauli, rate in rates:
        chance = (1 - math.exp(-2 * rate)) / 2
        error = pauli_error([("II", 1 - chance), (pauli, chance)])
        whole = whole.compose(SuperOp(error))
    return whole
