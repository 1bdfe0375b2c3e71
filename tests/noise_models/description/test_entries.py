import math

import pytest

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import (
    GateNoise,
    NoiseSpec,
    QubitNoise,
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
