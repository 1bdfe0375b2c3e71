import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import (
    FAMILIES,
    GateNoise,
    NoiseSpec,
    QubitNoise,
    Snapshot,
    build,
    combined,
    parse_parametric,
)
from tests.noise_models.specs import EVERY_FAMILY, of_age, small_spec

probabilities = st.floats(0, 1)


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
    ("change", "says"),
    [
        ({"format": "other"}, "format"),
        ({"version": 5}, "version 5; this release reads versions 1, 2, 3 and 4"),
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


def test_a_gate_that_aer_does_not_know_is_refused():
    spec = NoiseSpec("odd", ("odd",), (QubitNoise(),), (GateNoise("odd", (0,), 1, 0.1),))
    with pytest.raises(NoiseModelError, match="'odd'"):
        build(spec)


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


def test_readout_errors_follow_one_another():
    spec = combined(small_spec(), parse_parametric("readout(0.1,0.2)"))
    own, more = ([[1 - up, down], [up, 1 - down]] for up, down in ((0.01, 0.03), (0.1, 0.2)))
    both = [[sum(more[i][k] * own[k][j] for k in (0, 1)) for j in (0, 1)] for i in (0, 1)]
    assert spec.readout(0) == pytest.approx((both[1][0], both[0][1]))


def test_the_summary_holds_the_medians_of_what_is_known():
    unknown = QubitNoise(None, None, 0.09, 0.01)
    spec = replace(small_spec(), qubits=(*small_spec().qubits, unknown), physical_qubits=())
    found = spec.summary()
    assert found["t1_us_median"] == pytest.approx(75.0)
    assert found["t2_us_median"] == pytest.approx(90.0)
    assert found["readout_median"] == pytest.approx(0.035)
    assert found["error_1q_median"] == pytest.approx(0.001)
    assert found["error_2q_median"] == pytest.approx(0.02)


def test_a_gates_own_channel_is_written_down_and_read_back(tmp_path):
    channel = ((1.0, 0, 0, 0), (0, 0.9, 0, 0), (0, 0, 0.9, 0), (0.1, 0, 0, 0.9))
    spec = small_spec()
    gates = (replace(spec.gates[0], channel=channel), *spec.gates[1:])
    own = replace(spec, gates=gates)
    own.save(tmp_path / "noise.json")
    content = json.loads((tmp_path / "noise.json").read_text())
    assert content["version"] == 4 and "channel" not in content["gates"][1]
    assert NoiseSpec.load(tmp_path / "noise.json") == own
    assert own.digest() != spec.digest() and not own.is_noise_free
    assert own.summary()["error_1q_median"] > spec.summary()["error_1q_median"]
    free = NoiseSpec("free", ("sx",), (QubitNoise(),), (GateNoise("sx", (0,), 1),))
    still = replace(free.gates[0], channel=[[float(i == j) for j in range(4)] for i in range(4)])
    assert replace(free, gates=(still,)).is_noise_free
