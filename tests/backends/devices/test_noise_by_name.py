"""Noises by name: of devices, formulas, files and machines."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from qvlm_qiskit.backends import open_backend, open_noise
from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models import snapshot


def test_a_stale_file_is_refused_before_anything_runs(tmp_path):
    moment = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    content = open_noise("fake_manila").to_dict()
    content["snapshot"]["calibrated_utc"] = moment
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    assert open_backend(f"noisy:{path}", max_age_days=9).num_qubits == 5
    with pytest.raises(NoiseModelError, match=f"stale: it is of {moment[:10]}"):
        open_backend(f"noisy:{path}", max_age_days=7)


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("noisy:missing.json", NoiseModelError, "can't read"),
        ("noisy:depolarizing(1.2)", NoiseModelError, "probability"),
        ("noisy:thermal(10,21)", NoiseModelError, "2·t1_us"),
        ("noisy:fog(1)", UnknownNameError, "unknown noise 'fog"),
        ("noisy:fake_manila+fake_lagos", UnknownNameError, "fake_lagos"),
        ("noisy:fake_manila+fog(1)", UnknownNameError, "fog"),
        ("noisy:fake_manilla", UnknownNameError, "noisy:fake_manila"),
        ("noisy:", UnknownNameError, "noisy:"),
    ],
)
def test_impossible_noises_are_refused_by_name(name, error, says):
    with pytest.raises(error, match=says):
        open_backend(name)


def test_a_noise_of_unknown_instructions_is_refused(saved):
    content = json.loads(saved.read_text())
    content["gates"][0]["name"] = "warp"
    saved.write_text(json.dumps(content))
    with pytest.raises(NoiseModelError, match="unknown noise instruction 'warp'"):
        open_backend(f"noisy:{saved}")
    with pytest.raises(NoiseModelError, match="can't read"):
        saved.write_text("{")
        open_backend(f"noisy:{saved}")


def test_a_fetched_device_is_snapshotted(monkeypatch):
    """What IBM's service hands out is a BackendV2, as a fake device is."""
    from qvlm_qiskit.backends.devices.fake_devices import fake_device

    asked = []

    def fetch(name):
        asked.append(name)
        return fake_device("fake_manila")

    monkeypatch.setattr("qvlm_qiskit.backends.devices.noise_by_name.fetch_machine", fetch)
    spec = open_noise("ibm:ibm_manila+zz(0.1)")
    assert asked == ["ibm_manila"]
    assert (
        spec.snapshot.calibrated_utc == snapshot(fake_device("fake_manila")).snapshot.calibrated_utc
    )
    assert len(spec.sources) == 1
    assert open_backend("noisy:ibm:ibm_manila", shots=10).num_qubits == 5
