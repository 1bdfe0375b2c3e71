import importlib.metadata
import json
import os
import socket
import traceback
import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import MITIGATIONS, Backend, catalog, list_backends, open_backend
from qvlm_qiskit.backends.ibm import machine
from qvlm_qiskit.errors import (
    BackendError,
    CredentialsError,
    FallbackWarning,
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
        ("ibm:least_busy", "pec"),
        ("noisy:fake_manila", "dd"),
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


def test_a_service_that_is_not_there_is_not_taken_for_a_wrong_account(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for name in ("IAM_URL", "GLOBAL_SEARCH_URL", "GLOBAL_CATALOG_URL", "QISKIT_IBM_URL"):
            monkeypatch.setenv(name, f"http://{address}")
        monkeypatch.setenv("QISKIT_IBM_TOKEN", "canary")
        monkeypatch.setenv("QISKIT_IBM_INSTANCE", "crn:v1:a:b:c:us-east:a/loopback:loopback::")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with pytest.raises(BackendError, match=f"no connection to {address}") as caught:
            open_backend("ibm:ibm_torino")
    assert not isinstance(caught.value, CredentialsError)
    assert "canary" not in str(caught.value)
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


class Service:
    """In place of IBM's service: knows one machine, or refuses and repeats the token."""

    def __init__(self):
        from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

        token = os.environ["QISKIT_IBM_TOKEN"]
        if token.endswith("revoked"):
            raise IBMNotAuthorizedError(f"unknown token {token}")
        self.machine = FakeManilaV2()

    def least_busy(self):
        return self.machine

    def backend(self, name):
        if name != self.machine.name:
            raise RuntimeError(f"no {name} for {os.environ['QISKIT_IBM_TOKEN']}")
        return self.machine


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(machine, "open_service", Service)
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "sesame-open")


@pytest.mark.usefixtures("service")
def test_the_least_busy_machine_has_its_own_name_and_stays_the_same():
    backend = open_backend("ibm:least_busy", shots=64, mitigation="resilience-1")
    assert (backend.name, backend.kind, backend.num_qubits) == ("ibm:fake_manila", "hardware", 5)
    other = backend.with_mitigation("resilience-2")
    assert other.device.machine is backend.device.machine
    assert (other.device.resilience_level, other.options.shots) == (2, 64)
    with pytest.raises(MitigationError, match="'pec'"):
        backend.with_mitigation("pec")


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_is_submitted_to_hardware_is_what_the_preflight_said(level, monkeypatch):
    from qiskit_ibm_runtime.executor import Executor

    seen, run = [], Executor.run

    def spy(self, program, **options):
        seen.append(sum(int(item.size()) for item in program.items) * program.shots)
        return run(self, program, **options)

    monkeypatch.setattr(Executor, "run", spy)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    asked = [["ZZ"], ["XX"]]
    backend = open_backend("ibm:fake_manila", shots=64, mitigation=f"resilience-{level}")
    (planned,) = backend.preflight({"bell": (circuit, asked)}).levels
    assert seen == []
    backend.estimator().run([(circuit, asked)]).result()
    assert (planned.jobs, planned.executions) == (1, seen[0])


@pytest.mark.usefixtures("service")
def test_credentials_are_never_repeated(monkeypatch, caplog, capfd):
    caplog.set_level("DEBUG")
    said = [json.dumps(open_backend("ibm:least_busy").describe())]
    said.append(repr(open_backend("ibm:least_busy")))
    with pytest.raises(BackendError, match="ibm_nowhere") as missing:
        open_backend("ibm:ibm_nowhere")
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "sesame-revoked")
    with pytest.raises(CredentialsError) as refused:
        open_backend("ibm:least_busy")
    for caught in (missing, refused):
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        said.append("".join(traceback.format_exception(caught.value)))
    assert "sesame" not in " ".join([*said, caplog.text, *capfd.readouterr()])


def test_aer_falls_back_only_where_that_was_allowed_and_says_so():
    from qiskit_aer import AerSimulator

    if "GPU" in AerSimulator().available_devices():
        pytest.skip("this machine's Aer has a GPU")
    with pytest.warns(FallbackWarning, match="runs on the CPU"):
        backend = open_backend("aer", device="auto")
    assert backend.describe()["device"] == {"device": "CPU"}
    assert "runs on the CPU" in backend.describe()["notes"][0]
    with pytest.raises(BackendError, match="GPU"):
        open_backend("aer", device="gpu")
    assert open_backend("aer", device="cpu").notes == ()


@pytest.mark.parametrize("device", ["nonsense", "cpu:x"])
def test_a_torch_device_that_is_not_there_is_named(device):
    with pytest.raises(InputError, match=device):
        open_backend("statevector", device=device)


def test_every_fake_device_is_listed_and_what_it_cannot_do_is_said():
    from qvlm_qiskit.backends.devices.fake_devices import fake_classes

    rows = {row.name: row for row in list_backends()}
    assert set(fake_classes()) <= set(rows)
    assert "no parametrised circuits" in rows["fake_almaden"].what
    assert "no parametrised circuits" not in rows["fake_torino"].what


@pytest.mark.slow
def test_every_fake_device_runs_under_both_names():
    from qvlm_qiskit.backends.devices.fake_devices import fake_qubits

    for name, qubits in fake_qubits().items():
        circuit = QuantumCircuit(min(qubits, 2))
        circuit.ry(Parameter("a"), 0)
        if qubits > 1:
            circuit.cx(0, 1)
        listed = {row.name: row for row in list_backends()}[name]
        for full in (name, f"noisy:{name}"):
            with warnings.catch_warnings():
                # the nighthawk's properties are said to be no typical ones
                warnings.simplefilter("ignore", UserWarning)
                backend = open_backend(full, shots=4000, seed=1)
            pub = (circuit, "Z" * circuit.num_qubits, [[0.0], [np.pi]])
            if full == name and "no parametrised" in listed.what:
                with pytest.raises(BackendError, match=r"u[23]"):
                    backend.estimator().run([pub])
                continue
            evs = backend.estimator().run([pub]).result()[0].data.evs
            if backend.compile(circuit, pub[1]).success_probability == 0:
                continue  # fake_kyoto: every two-qubit gate is stated to fail always
            assert np.abs(evs - (1 if qubits > 1 else np.array([1, -1]))).max() < 0.9, full
