import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models import (
    FAMILIES,
    Depolarizing,
    GateNoise,
    NoiseSpec,
    OverRotation,
    QubitNoise,
    Readout,
    Snapshot,
    ThermalRelaxation,
    ZZCrosstalk,
    build,
    combined,
    depolarizing,
    diff,
    parse_parametric,
    restricted,
    scaled,
    snapshot,
    thermal,
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
        ({"version": 3}, "version 3; this release reads versions 1 and 2"),
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
        scaled(replace(spec, gates=(GateNoise("cz", (0, 1), 2, 0.7),)), 2.0)
    with pytest.raises(NoiseModelError, match=r"probability of depolarizing from 0\.9 to 1\.8"):
        scaled(depolarizing(0.9), 2.0)


def test_depolarizing_states_which_gate_gets_what():
    one, two = depolarizing(0.01).sources
    assert one == Depolarizing(("sx", "x"), 0.001)
    assert two == Depolarizing(("cz",), 0.01)
    assert parse_parametric("depolarizing(0.02, 0.004)") == depolarizing(0.02, 0.004)
    assert parse_parametric("depolarizing(0.02)") == depolarizing(0.02, 0.002)


@pytest.mark.parametrize("text", ["bitflip(0.1)", "depolarizing", "", "zz(0.1)+fog(1)", "+"])
def test_unknown_families_are_refused(text):
    with pytest.raises(UnknownNameError, match="noise"):
        parse_parametric(text)


@pytest.mark.parametrize(
    "text",
    [
        "depolarizing(much)",
        "depolarizing(1.5)",
        "depolarizing()",
        "depolarizing(1,2,3)",
        "depolarizing(0.1,p2=0.1)",
        "depolarizing(p3=0.1)",
        "thermal(t1_us=10,t2_us=21)",
        "thermal(10)",
        "amplitude_damping(-0.1)",
        "phase_damping(2)",
        "readout(1.2)",
        "over_rotation(1.5)",
        "zz(4)",
        "zz(nan)",
        "thermal(t1_us=0,t2_us=1)",
        "zz(0.1",
    ],
)
def test_impossible_strengths_are_refused(text):
    with pytest.raises((NoiseModelError, UnknownNameError)):
        parse_parametric(text)


def test_a_gate_that_aer_does_not_know_is_refused():
    spec = NoiseSpec("odd", ("odd",), (QubitNoise(),), (GateNoise("odd", (0,), 1, 0.1),))
    with pytest.raises(NoiseModelError, match="'odd'"):
        build(spec)


EVERY_FAMILY = (
    "depolarizing(0.01)+amplitude_damping(p2=0.02,p1=0.004)+phase_damping(0.01)"
    "+thermal(t1_us=100,t2_us=80)+readout(0.01,0.03)+over_rotation(-0.02)+zz(0.05)"
)


def test_every_family_survives_the_file(tmp_path):
    spec = combined(small_spec(), parse_parametric(EVERY_FAMILY))
    assert {source.kind for source in spec.sources} >= {
        "depolarizing", "amplitude_damping", "phase_damping", "thermal_relaxation", "readout",
        "over_rotation", "zz_crosstalk",
    }  # fmt: skip
    assert len(parse_parametric(EVERY_FAMILY).name.split("+")) == len(FAMILIES)
    taken = Snapshot(
        "somewhere", "2024-05-01T10:00:00+00:00", "2024-05-02T10:00:00+00:00", {"a": "1"}
    )
    spec = replace(spec, snapshot=taken)
    spec.save(tmp_path / "deep" / "noise.json")
    assert NoiseSpec.load(tmp_path / "deep" / "noise.json") == spec
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["noise.json"]


def test_exponents_are_no_sums():
    assert parse_parametric("depolarizing(1e-2)+zz(1E+0)").sources[-1] == ZZCrosstalk(1.0)


def test_a_file_of_version_1_still_opens(tmp_path):
    """Frozen: what the first release wrote."""
    path = tmp_path / "old.json"
    path.write_text(
        '{"format": "qvlm-noise", "version": 1, "name": "old", "basis_gates": ["sx", "cz", "rz"],'
        ' "qubits": [{"t1_us": 100.0, "t2_us": 80.0, "p_meas1_prep0": 0.01, "p_meas0_prep1": 0.03},'
        ' {"t1_us": null, "t2_us": null, "p_meas1_prep0": 0.0, "p_meas0_prep1": 0.0}],'
        ' "gates": [{"name": "cz", "qubits": [0, 1], "width": 2, "error": 0.02,'
        ' "duration_ns": 80.0}, {"name": "sx", "qubits": [], "width": 1, "error": 0.001,'
        ' "duration_ns": null}], "physical_qubits": [7, 9]}'
    )
    spec = NoiseSpec.load(path)
    assert spec.qubits[0] == QubitNoise(100.0, 80.0, 0.01, 0.03)
    assert spec.gates == (GateNoise("cz", (0, 1), 2, 0.02, 80.0), GateNoise("sx", (), 1, 0.001))
    assert (spec.sources, spec.snapshot, spec.physical_qubits) == ((), None, (7, 9))
    spec.save(path)
    assert json.loads(path.read_text())["version"] == 2
    assert NoiseSpec.load(path) == spec


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sources": [{"kind": "fog"}]}, "unknown noise source 'fog'"),
        ({"sources": [{"kind": "readout", "p": 1}]}, "readout has unknown fields: p"),
        ({"sources": [{"kind": "readout", "p_meas1_prep0": 1}]}, "malformed"),
        (
            {"sources": [{"kind": "depolarizing", "gates": "cz", "probability": 0.1}]},
            "list of gate",
        ),
        ({"sources": [{"kind": "depolarizing", "gates": ["czz"], "probability": 0.1}]}, "'czz'"),
        ({"gates": [{"name": "warp", "qubits": [0], "width": 1}]}, "unknown noise instruction"),
        ({"gates": [{"name": "cz", "qubits": [0], "width": 1}]}, "cz acts on 2 qubits"),
        ({"gates": [{"name": "sx", "qubits": [0.0], "width": 1}]}, "outside"),
        ({"snapshot": {"device": "d", "calibrated_utc": "soon", "taken_utc": "x"}}, "ISO 8601"),
    ],
)
def test_wrong_sources_gates_and_dates_are_refused_by_name(change, says):
    with pytest.raises(NoiseModelError, match=says):
        NoiseSpec.from_dict({**small_spec().to_dict(), **change})


def of_age(days):
    moment = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return replace(small_spec(), snapshot=Snapshot("ibm_somewhere", moment, moment))


def test_a_stale_calibration_is_refused_with_its_date(tmp_path):
    spec = of_age(days=10)
    spec.save(tmp_path / "noise.json")
    assert NoiseSpec.load(tmp_path / "noise.json") == spec
    assert NoiseSpec.load(tmp_path / "noise.json", max_age_days=11) == spec
    date = spec.snapshot.calibrated_utc[:10]
    with pytest.raises(
        NoiseModelError, match=f"ibm_somewhere is stale: it is of {date}.* 10.0 days"
    ):
        NoiseSpec.load(tmp_path / "noise.json", max_age_days=9)
    with pytest.raises(NoiseModelError, match="no calibration date"):
        small_spec().check_age(1)
    with pytest.raises(NoiseModelError, match="positive"):
        spec.check_age(0)


def test_a_snapshot_says_of_what_and_when():
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    device = FakeManilaV2()
    spec = snapshot(device)
    assert spec.snapshot.device == spec.name == "fake_manila"
    stated = device.properties().last_update_date.astimezone(UTC)
    assert datetime.fromisoformat(spec.snapshot.calibrated_utc) == stated.replace(microsecond=0)
    assert set(spec.snapshot.versions) == {"qvlm-qiskit", "qiskit", "qiskit-ibm-runtime", "device"}
    assert spec.digest() == replace(spec, name="other", snapshot=None).digest()
    assert spec.digest() != scaled(spec, 1.01).digest()


def test_a_restricted_description_keeps_what_lies_inside():
    spec = combined(small_spec(), parse_parametric("zz(0.1)"))
    part = restricted(spec, (1,))
    assert (part.qubits, part.physical_qubits, part.gates) == ((spec.qubits[1],), (9,), ())
    turned = restricted(spec, (1, 0))
    assert [gate.qubits for gate in turned.gates] == [(1,), (1, 0)]
    assert restricted(depolarizing(0.1), (5, 3)) == depolarizing(0.1)
    with pytest.raises(NoiseModelError, match="distinct"):
        restricted(spec, (0, 2))


def test_scaling_reaches_every_source():
    half = scaled(parse_parametric(EVERY_FAMILY), 0.5)
    by_kind = {source.kind: source for source in half.sources}
    assert by_kind["depolarizing"] == Depolarizing(("cz",), 0.005)
    assert by_kind["thermal_relaxation"] == ThermalRelaxation(("cz",), 70.0, 200.0, 160.0)
    assert by_kind["over_rotation"] == OverRotation(("sx", "x", "cz"), -0.01)
    assert by_kind["zz_crosstalk"] == ZZCrosstalk(0.025)
    assert by_kind["readout"] == Readout(0.005, 0.015)
    assert scaled(parse_parametric(EVERY_FAMILY), 0.0).is_noise_free
    assert not half.is_noise_free
    for text in ("readout(0.3)", "zz(2)", "over_rotation(0.6)", "amplitude_damping(0.6)"):
        with pytest.raises(NoiseModelError, match="physical"):
            scaled(parse_parametric(text), 2.0)


def test_only_the_first_term_may_have_qubits():
    assert combined(small_spec(), depolarizing(0.1)).qubits == small_spec().qubits
    with pytest.raises(NoiseModelError, match="only the first"):
        combined(depolarizing(0.1), small_spec())


def test_readout_errors_follow_one_another():
    spec = combined(small_spec(), parse_parametric("readout(0.1,0.2)"))
    own, more = ([[1 - up, down], [up, 1 - down]] for up, down in ((0.01, 0.03), (0.1, 0.2)))
    both = [[sum(more[i][k] * own[k][j] for k in (0, 1)) for j in (0, 1)] for i in (0, 1)]
    assert spec.readout(0) == pytest.approx((both[1][0], both[0][1]))


def test_diff_lists_what_changed_with_units():
    first = of_age(days=3)
    assert diff(first, replace(first, name="another name")) == []
    second = replace(
        of_age(days=1),
        qubits=(QubitNoise(110.0, 80.0, 0.01, 0.03), first.qubits[1]),
        gates=(GateNoise("cz", (0, 1), 2, 0.03, 80.0),),
        sources=(ZZCrosstalk(0.1),),
    )
    found = {(d.where, d.quantity): d for d in diff(first, second)}
    assert set(found) == {
        ("snapshot", "calibrated_utc"), ("qubit 7", "t1_us"), ("cz (7, 9)", "error"),
        ("sx (7,)", "present"), ("source 1", "kind"),
    }  # fmt: skip
    times = found["qubit 7", "t1_us"]
    assert (times.unit, times.first, times.second) == ("µs", 100.0, 110.0)
    assert times.change == pytest.approx(0.1)
    assert found["sx (7,)", "present"].change is None
    angles = diff(parse_parametric("zz(0.1)"), parse_parametric("zz(0.2)"))
    assert [(d.where, d.quantity, d.unit) for d in angles] == [
        ("source 1 (zz_crosstalk)", "angle_rad", "rad")
    ]
    assert thermal(100, 80) != thermal(100, 90)
