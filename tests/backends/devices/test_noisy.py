"""Noisy backends: one description, two methods, and files, dates and sums as names."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend, open_noise
from qvlm_qiskit.errors import (
    BackendError,
    CapacityError,
    InputError,
    NoiseModelError,
    UnknownNameError,
)
from qvlm_qiskit.jobs.ledger.rows import split
from qvlm_qiskit.noise_models import NoiseSpec, snapshot

OBSERVABLES = [["ZII"], ["IZZ"], ["XIY"], ["IXI"]]


@pytest.fixture
def saved(tmp_path):
    """A file with the calibration of a five-qubit device."""
    path = tmp_path / "manila.json"
    open_noise("fake_manila").save(path)
    return path


def evs(backend, circuit, observables, values, **options):
    return backend.estimator().run([(circuit, observables, values)], **options).result()[0]


@pytest.mark.parametrize(
    "name",
    [
        "noisy:fake_lagos",
        "noisy:depolarizing(0.02)",
        "noisy:fake_manila+zz(0.4)+over_rotation(0.1)",
        "noisy:thermal(t1_us=20,t2_us=15)+readout(0.02,0.1)+zz(0.5)",
    ],
)
@pytest.mark.parametrize("scale", [0.7, 1.5])
def test_both_methods_draw_from_the_same_distribution(
    name, scale, make_circuit, values_for, within_errors
):
    """Shots of either lie around the exact values: layouts, bases, readout, crosstalk and all."""
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (3,))
    options = {"noise_scale": scale, "seed": 3}
    exact = evs(open_backend(name, precision=0, **options), circuit, OBSERVABLES, values)
    assert exact.metadata["method"] == "density"
    assert np.all(exact.data.stds == 0)
    for method in ("density", "aer"):
        backend = open_backend(name, shots=40_000, method=method, **options)
        found = evs(backend, circuit, OBSERVABLES, values)
        assert found.metadata["method"] == method
        within_errors(found, exact.data.evs)


def test_both_methods_report_the_same_work(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (2,))
    pub = (circuit, ["ZII", "XII"], values)
    reports = []
    for method in ("density", "aer"):
        backend = open_backend("noisy:fake_manila", shots=50, seed=1, method=method)
        metadata = dict(backend.estimator().run([pub]).result()[0].metadata)
        assert metadata.pop("method") == method
        reports.append(metadata)
    assert reports[0] == reports[1]
    assert reports[0]["circuits"] == 2


def test_both_ends_know_the_same_limit():
    from qvlm_qiskit.backends.devices.noisy import DENSITY_QUBITS
    from qvlm_qiskit.quantum.density.noisy_program import MAX_DENSITY_QUBITS

    assert DENSITY_QUBITS == MAX_DENSITY_QUBITS


def test_auto_gives_large_circuits_to_aer():
    circuit = QuantumCircuit(12)
    for qubit in range(11):
        circuit.sx(qubit)
        circuit.cz(qubit, qubit + 1)
    observables = ["Z" + 11 * "I"]
    backend = open_backend("noisy:depolarizing(0.01)", shots=20, seed=1)
    assert backend.estimator().run([(circuit, observables)]).result()[0].metadata["method"] == "aer"
    for options in ({"precision": 0}, {"shots": 20, "method": "density"}):
        backend = open_backend("noisy:depolarizing(0.01)", seed=1, **options)
        with pytest.raises(CapacityError, match="at most 10"):
            backend.estimator().run([(circuit, observables)]).result()


def test_exact_values_with_precision_and_without(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit)
    sampling = open_backend("noisy:fake_manila", shots=100, seed=1)
    exact = open_backend("noisy:fake_manila", precision=0)
    assert (sampling.kind, exact.kind) == ("simulated shots", "exact")
    reference = evs(exact, circuit, "ZII", values).data.evs
    assert evs(sampling, circuit, "ZII", values, precision=0).data.evs == reference
    assert evs(exact, circuit, "ZII", values, precision=0.1).metadata["shots"] == 100


@pytest.mark.parametrize("method", ["density", "aer"])
def test_samples_belong_to_the_seed_and_the_pub(method, make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (3,))

    def run(seed, rows):
        backend = open_backend("noisy:fake_manila", shots=500, seed=seed, method=method)
        estimator = backend.estimator()
        evs = [estimator.run([(circuit, "ZII", v)]).result()[0].data.evs for v in rows]
        return np.array(evs)

    forwards, backwards = run(1, values), run(1, values[::-1])
    np.testing.assert_array_equal(forwards, backwards[::-1])
    assert not np.array_equal(forwards, run(2, values))
    assert not np.array_equal(run(None, values), run(None, values))


def test_a_saved_calibration_is_the_device(saved, make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (2,))
    device, file = (
        open_backend(name, precision=0, optimization_level=0)
        for name in ("noisy:fake_manila", f"noisy:{saved}")
    )
    assert file.num_qubits == 5
    # level 0 places qubits in order on both targets
    for observables in (["ZII"], ["XYZ"]):
        one, other = (evs(b, circuit, observables, values).data.evs for b in (device, file))
        np.testing.assert_allclose(one, other, atol=1e-12)
    assert file.noise["calibrated_utc"] == open_noise("fake_manila").snapshot.calibrated_utc
    assert device.noise["t1_us_median"] == file.noise["t1_us_median"]


def test_a_circuit_larger_than_the_file_is_refused(saved):
    backend = open_backend(f"noisy:{saved}", precision=0)
    with pytest.raises(CapacityError, match="6 qubits, the device 5"):
        backend.estimator().run([(QuantumCircuit(6), "ZZZZZZ")])


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


@pytest.mark.parametrize(
    "mitigation", ["readout", "zne", "readout+zne", "cdr", "readout+cdr", "readout+learned-zne",
                   "readout+twirling+pec(samples=100)"]
)  # fmt: skip
def test_mitigation_of_exact_values_is_free_of_shots(mitigation, make_circuit, values_for, exact):
    circuit = make_circuit(layers=2)
    values = values_for(circuit, (5,), seed=3)
    pub = (circuit, [["ZII"], ["IZI"], ["ZZZ"]], values)
    expected = exact(*pub)

    def error(name):
        backend = open_backend("noisy:fake_lagos", precision=0, mitigation=name, seed=2)
        assert backend.kind == "exact"
        result = backend.estimator().run([pub]).result()[0]
        return np.sqrt(np.mean((result.data.evs - expected) ** 2))

    bound = 1.0 if mitigation == "zne" else 0.5  # the readout error dominates there
    assert error(mitigation) < bound * error("none")


@pytest.mark.parametrize("name", ["aer", "statevector", "fake_manila"])
def test_only_noisy_backends_take_a_precision_of_zero(name):
    with pytest.raises(InputError, match="precision is 0"):
        open_backend(name, precision=0)


def test_a_missing_device_is_refused_at_once():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(BackendError, match="cuda"):
        open_backend("noisy:fake_manila", device="cuda")


def test_whatever_changes_raw_values_changes_the_record(saved, make_circuit):
    """The file's content counts, not only its name; so do method, precision and number type."""
    from qiskit.primitives.containers.estimator_pub import EstimatorPub

    pub = EstimatorPub.coerce((make_circuit().assign_parameters(np.ones(6)), "ZII"), 0.1)

    def key(**options):
        backend = open_backend(f"noisy:{saved}", seed=1, **options)
        return tuple(row.key for row in split([pub], backend.device_description()))

    first = key(shots=100)
    assert key(shots=100) == first
    others = [key(shots=100, method="aer"), key(shots=100, dtype="complex64")]
    others.append(key(shots=100, noise_scale=2.0))
    spec = NoiseSpec.load(saved)
    spec = NoiseSpec.from_dict(
        {**spec.to_dict(), "sources": [{"kind": "zz_crosstalk", "angle_rad": 0.1}]}
    )
    spec.save(saved)
    others.append(key(shots=100))
    assert len({first, *others}) == 5


def test_describe_says_which_method_and_which_noise():
    about = open_backend("noisy:fake_manila+zz(0.1)", precision=0).describe()
    assert json.loads(json.dumps(about)) == about
    assert about["device"]["method"] == "auto"
    assert about["device"]["density_qubits"] == 10
    assert about["noise"]["sources"] == [{"kind": "zz_crosstalk", "angle_rad": 0.1}]
    assert about["precision"] == 0


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


def test_the_engine_takes_as_many_qubits_as_the_backend_gives_it():
    from qvlm_qiskit.backends.devices.noisy import DENSITY_QUBITS
    from qvlm_qiskit.quantum.density.noisy_program import MAX_DENSITY_QUBITS

    assert DENSITY_QUBITS == MAX_DENSITY_QUBITS
