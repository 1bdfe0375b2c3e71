import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models import (
    GateNoise,
    NoiseSpec,
    QubitNoise,
    build,
    depolarizing,
    parse_parametric,
    scaled,
)

probabilities = st.floats(0, 1)


def small_spec() -> NoiseSpec:
    return NoiseSpec(
        name="two qubits",
        basis_gates=("sx", "cz", "rz"),
        qubits=(QubitNoise(100.0, 80.0, 0.01, 0.03), QubitNoise(50.0, 100.0, 0.02, 0.05)),
        gates=(GateNoise("sx", (0,), 1, 0.001, 30.0), GateNoise("cz", (0, 1), 2, 0.02, 80.0)),
        physical_qubits=(7, 9),
    )


def test_json_round_trip(tmp_path):
    path = tmp_path / "noise.json"
    small_spec().save(path)
    assert NoiseSpec.load(path) == small_spec()


@given(up=probabilities, down=probabilities, error=probabilities, t1=st.floats(0.1, 1e4))
def test_json_round_trip_is_exact_for_any_values(up, down, error, t1):
    spec = NoiseSpec(
        "any", ("sx",), (QubitNoise(t1, 2 * t1, up, down),), (GateNoise("sx", (0,), 1, error),)
    )
    assert NoiseSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


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


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "other"}, "format"),
        ({"version": 2}, "version"),
        ({"surprise": 1}, "surprise"),
        ({"gates": [{"name": "sx", "qubits": [0], "width": 1, "fidelity": 1}]}, "fidelity"),
        ({"qubits": None}, "malformed"),
        ({"gates": [{}]}, "malformed"),
    ],
)
def test_descriptions_that_are_not_ours_are_refused(change, says):
    with pytest.raises(NoiseModelError, match=says):
        NoiseSpec.from_dict({**small_spec().to_dict(), **change})


def test_unreadable_files_are_refused(tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for path in (broken, tmp_path / "missing.json", tmp_path):
        with pytest.raises(NoiseModelError, match="can't read"):
            NoiseSpec.load(path)


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
        scaled(depolarizing(0.9), 2.0)


def test_depolarizing_states_which_gate_gets_what():
    by_name = {gate.name: gate for gate in depolarizing(0.01).gates}
    assert by_name["cz"].error == pytest.approx(0.01 * 3 / 4)
    assert by_name["sx"].error == by_name["x"].error == pytest.approx(0.001 / 2)
    assert parse_parametric("depolarizing(0.02, 0.004)") == depolarizing(0.02, 0.004)
    assert parse_parametric("depolarizing(0.02)") == depolarizing(0.02, 0.002)


@pytest.mark.parametrize("text", ["bitflip(0.1)", "depolarizing", "depolarizing(1,2,3)", ""])
def test_unknown_families_are_refused(text):
    with pytest.raises(UnknownNameError, match="noise"):
        parse_parametric(text)


@pytest.mark.parametrize("text", ["depolarizing(much)", "depolarizing(1.5)", "depolarizing()"])
def test_impossible_strengths_are_refused(text):
    with pytest.raises(NoiseModelError):
        parse_parametric(text)


def test_a_gate_that_aer_does_not_know_is_refused():
    spec = NoiseSpec("odd", ("odd",), (QubitNoise(),), (GateNoise("odd", (0,), 1, 0.1),))
    with pytest.raises(NoiseModelError, match="'odd'"):
        build(spec)
