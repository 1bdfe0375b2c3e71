import importlib.metadata
import json

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.backends import MITIGATIONS, Backend, catalog, list_backends, open_backend
from qvlm_qiskit.errors import (
    BackendError,
    CredentialsError,
    InputError,
    MitigationError,
    NoiseModelError,
    UnknownNameError,
)


def test_the_list_names_what_can_be_opened():
    rows = {row.name: row for row in list_backends()}
    assert {"statevector", "aer", "aer-gpu", "fake_torino", "ibm:least_busy"} <= set(rows)
    assert rows["fake_torino"].qubits == rows["noisy:fake_torino"].qubits == 133
    assert rows["fake_manila"].kind == "local runtime"
    assert all(row.what for row in rows.values())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("statvector", "statevector"),
        ("fake_torinno", "fake_torino"),
        ("noisy:fake_torinno", "noisy:fake_torino"),
        ("noisy:", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name, near):
    with pytest.raises(UnknownNameError, match="unknown backend") as caught:
        open_backend(name)
    assert near in str(caught.value)


def test_unknown_noise_families_are_refused():
    with pytest.raises(UnknownNameError, match="noise"):
        open_backend("noisy:bitflip(0.1)")
    with pytest.raises(NoiseModelError, match="probability"):
        open_backend("noisy:depolarizing(2)")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shots": 0}, "shots"),
        ({"shots": -5}, "shots"),
        ({"shots": 1.5}, "shots"),
        ({"shots": True}, "shots"),
        ({"precision": 0.0, "method": "aer"}, "method='aer' draws shots"),
        ({"precision": -0.1}, "precision"),
        ({"precision": float("nan")}, "precision"),
        ({"shots": 100, "precision": 0.1}, "not both"),
        ({"noise_scale": -1.0}, "noise_scale"),
        ({"noise_scale": float("inf")}, "noise_scale"),
        ({"optimization_level": 4}, "optimization_level"),
        ({"optimization_level": None}, "optimization_level"),
        ({"seed": -1}, "seed"),
        ({"device": "cpu", "method": "aer"}, "device="),
        ({"dtype": "complex64", "method": "aer"}, "dtype="),
        ({"dtype": "float16"}, "dtype"),
        ({"method": "magic"}, "method 'magic'"),
        ({"max_age_days": 0}, "max_age_days"),
    ],
)
def test_impossible_options_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        open_backend("noisy:fake_manila", **options)


@pytest.mark.parametrize("name", ["aer", "fake_manila", "ibm:least_busy", "statevector"])
def test_options_that_a_backend_does_not_take_are_named(name):
    with pytest.raises(InputError, match="noise_scale="):
        open_backend(name, noise_scale=0.5)


@pytest.mark.parametrize(
    ("name", "mitigation"),
    [
        ("noisy:fake_manila", "magic"),
        ("noisy:fake_manila", "resilience-1"),
        ("aer", "zne"),
        ("statevector", "readout"),
        ("ibm:least_busy", "readout"),
    ],
)
def test_mitigation_that_is_not_offered_is_refused(name, mitigation):
    with pytest.raises(MitigationError, match=mitigation):
        open_backend(name, mitigation=mitigation)
    assert "resilience-1" in MITIGATIONS


def test_only_names_open_backends():
    with pytest.raises(InputError, match="by its name"):
        open_backend(3)  # type: ignore[arg-type]


def test_a_missing_gpu_is_an_error_and_never_the_cpu():
    from qiskit_aer import AerSimulator

    if "GPU" in AerSimulator().available_devices():
        pytest.skip("this machine's Aer has a GPU")
    with pytest.raises(BackendError, match="GPU"):
        open_backend("aer-gpu")


def test_a_missing_account_is_one_clear_sentence(monkeypatch, tmp_path):
    from qiskit_ibm_runtime.accounts import management

    for variable in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "QISKIT_IBM_CHANNEL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(
        management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(tmp_path / "accounts.json")
    )
    for name in ("ibm:least_busy", "ibm:ibm_torino"):
        with pytest.raises(CredentialsError, match="save_account") as caught:
            open_backend(name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("aer", "exact", {}),
        ("aer", "simulated shots", {"shots": 100}),
        ("noisy:fake_manila", "simulated shots", {"noise_scale": 0.5, "mitigation": "readout"}),
        ("noisy:depolarizing(0.01)", "simulated shots", {}),
        ("fake_manila", "local runtime", {"mitigation": "resilience-1", "precision": 0.1}),
    ],
)
def test_the_description_is_complete_and_json_able(name, kind, options):
    backend = open_backend(name, seed=4, **options)
    described = json.loads(json.dumps(backend.describe(), allow_nan=False))
    assert (described["name"], described["kind"], described["seed"]) == (name, kind, 4)
    assert described["num_qubits"] == backend.num_qubits >= 5
    assert described["mitigation"] == options.get("mitigation", "none")
    assert described["versions"]["qiskit"]
    assert (described["noise"] is None) == name.startswith("aer")
    json.dumps(backend.device_description(), allow_nan=False)


def test_what_the_device_answers_depends_on_is_in_its_description():
    def described(name="noisy:fake_manila", **options):
        return json.dumps(open_backend(name, **options).device_description(), sort_keys=True)

    variants = [
        described(),
        described(seed=1),
        described(noise_scale=0.5),
        described("noisy:fake_lagos"),
        described("fake_manila"),
        described("fake_manila", mitigation="resilience-1"),
    ]
    assert len(set(variants)) == len(variants)
    # Raw answers serve every mitigation, compilation and number of shots.
    assert described() == described(mitigation="readout") == described(optimization_level=1)


def test_the_stack_is_built_once_and_a_recorder_goes_around_the_device():
    backend = open_backend("noisy:fake_manila", mitigation="readout", seed=1, shots=100)
    assert backend.estimator() is backend.estimator()
    seen = []

    def recorder(device, described):
        seen.append((device, described))
        return device

    recorded = backend.recorded(recorder)
    assert seen == [(backend.device, backend.device_description())]
    assert recorded is not backend
    circuit = QuantumCircuit(1)
    np.testing.assert_array_equal(
        recorded.estimator().run([(circuit, "Z")]).result()[0].data.evs,
        backend.estimator().run([(circuit, "Z")]).result()[0].data.evs,
    )


def test_statevector_is_exact(make_circuit, values_for, exact):
    quantum = pytest.importorskip("qvlm_qiskit.quantum")
    if not hasattr(quantum, "TorchEstimator"):
        pytest.skip("qvlm_qiskit.quantum has no TorchEstimator yet")
    circuit = make_circuit()
    values = values_for(circuit, (3,))
    backend = open_backend("statevector", dtype="complex128")
    found = backend.estimator().run([(circuit, [["ZXY"], ["IIZ"]], values)]).result()[0].data.evs
    np.testing.assert_allclose(found, exact(circuit, [["ZXY"], ["IIZ"]], values), atol=1e-10)
    assert (backend.kind, backend.compile(circuit, ["ZXY"]).layout) == ("exact", (0, 1, 2))
    sampling = [open_backend("statevector", shots=shots, seed=1) for shots in (100, 200)]
    assert sampling[0].kind == "simulated shots"
    assert sampling[0].device_description() != sampling[1].device_description()


class ThirdPartyPoint:
    name, value, group = "mine", "package:opener", catalog.ENTRY_POINT_GROUP

    def __init__(self, loaded):
        self.loaded = loaded

    def load(self):
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def test_third_parties_add_backends_by_entry_point(monkeypatch):
    def opener(name, options):
        return Backend(name, "exact", 7, options, StatevectorEstimator())

    installed = ThirdPartyPoint(opener)
    monkeypatch.setattr(catalog, "entry_points", lambda group: [installed])
    assert "mine" in {row.name for row in list_backends()}
    backend = open_backend("mine", seed=3)
    assert (backend.num_qubits, backend.options.seed) == (7, 3)
    assert importlib.metadata.entry_points(group=catalog.ENTRY_POINT_GROUP) is not None
    for broken in (ImportError("gone"), 5):
        installed.loaded = broken
        with pytest.raises(BackendError, match="'mine'"):
            open_backend("mine")


def test_a_name_is_registered_once():
    with pytest.raises(InputError, match="registered already"):
        catalog.register("aer", kind="exact", what="again")(lambda name, options: None)
