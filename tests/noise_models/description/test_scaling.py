import math
from dataclasses import replace

import pytest

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import (
    Depolarizing,
    GateNoise,
    NoiseSpec,
    OverRotation,
    QubitNoise,
    ReadoutError,
    ThermalRelaxation,
    ZZCrosstalk,
    build,
    depolarizing,
    parse_parametric,
    scaled,
)
from tests.noise_models.specs import EVERY_FAMILY, small_spec


def test_scaling_multiplies_errors_and_divides_times():
    twice = scaled(small_spec(), 2.0)
    assert twice.qubits[0] == QubitNoise(50.0, 40.0, 0.02, 0.06)
    assert [gate.error for gate in twice.gates] == [0.002, 0.04]
    assert [gate.duration_ns for gate in twice.gates] == [30.0, 80.0]
    assert scaled(small_spec(), 1.0) == small_spec()


def test_factor_zero_is_a_noise_free_device():
    nothing = scaled(small_spec(), 0.0)
    assert nothing.is_noise_free
    assert build(nothing).is_ideal()
    assert not small_spec().is_noise_free


@pytest.mark.parametrize("factor", [-1.0, math.inf, math.nan])
def test_impossible_factors_are_refused(factor):
    with pytest.raises(NoiseModelError, match="noise scale"):
        scaled(small_spec(), factor)


@pytest.mark.parametrize(("factor", "says"), [(15.0, "readout"), (1000.0, "readout")])
def test_scaling_beyond_the_physical_is_refused(factor, says):
    with pytest.raises(NoiseModelError, match=says):
        scaled(small_spec(), factor)


def test_scaling_a_gate_beyond_the_physical_is_refused_but_a_broken_one_stays():
    gates = (GateNoise("cz", (0, 1), 2, 1.0),)
    spec = NoiseSpec("broken", ("cz",), (QubitNoise(), QubitNoise()), gates)
    assert scaled(spec, 2.0).gates == gates
    with pytest.raises(NoiseModelError, match="error of cz"):
        scaled(replace(spec, gates=(GateNoise("cz", (0, 1), 2, 0.7),)), 2.0)
    with pytest.raises(NoiseModelError, match=r"probability of depolarizing from 0\.9 to 1\.8"):
        scaled(depolarizing(0.9), 2.0)


def test_scaling_reaches_every_source():
    half = scaled(parse_parametric(EVERY_FAMILY), 0.5)
    by_kind = {source.kind: source for source in half.sources}
    assert by_kind["depolarizing"] == Depolarizing(("cz",), 0.005)
    assert by_kind["thermal_relaxation"] == ThermalRelaxation(("cz",), 70.0, 200.0, 160.0)
    assert by_kind["over_rotation"] == OverRotation(("sx", "x", "cz"), -0.01)
    assert by_kind["zz_crosstalk"] == ZZCrosstalk(0.025)
    assert by_kind["readout"] == ReadoutError(0.005, 0.015)
    assert scaled(parse_parametric(EVERY_FAMILY), 0.0).is_noise_free
    assert not half.is_noise_free
    for text in ("readout(0.3)", "zz(2)", "over_rotation(0.6)", "amplitude_damping(0.6)"):
        with pytest.raises(NoiseModelError, match="physical"):
            scaled(parse_parametric(text), 2.0)
