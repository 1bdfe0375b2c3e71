"""Noisy backends: one description, two methods, and files, dates and sums as names."""

import json
import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit_aer.noise import (
    NoiseModel,
    ReadoutError,
    amplitude_damping_error,
    depolarizing_error,
)

from qvlm_qiskit.backends import open_backend, open_noise
from qvlm_qiskit.errors import (
    BackendError,
    CapacityError,
    InputError,
    NoiseModelError,
    QVLMError,
)
from qvlm_qiskit.jobs.ledger.rows import split
from qvlm_qiskit.noise_models import NoiseSpec

OBSERVABLES = [["ZII"], ["IZZ"], ["XIY"], ["IXI"]]


def evs(backend, circuit, observables, values, **options):
    return backend.estimator().run([(circuit, observables, values)], **options).result()[0]


def test_exact_values_with_precision_and_without(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit)
    sampling = open_backend("noisy:fake_manila", shots=100, seed=1)
    exact = open_backend("noisy:fake_manila", precision=0)
    assert (sampling.kind, exact.kind) == ("simulated shots", "exact")
    reference = evs(exact, circuit, "ZII", values).data.evs
    assert evs(sampling, circuit, "ZII", values, precision=0).data.evs == reference
    assert evs(exact, circuit, "ZII", values, precision=0.1).metadata["shots"] == 100


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


@pytest.mark.parametrize(
    "mitigation",
    [
        *("readout", "zne", "readout+zne", "cdr", "readout+cdr"),
        pytest.param("readout+learned-zne", marks=pytest.mark.slow),
        pytest.param("readout+twirling+pec(samples=100)", marks=pytest.mark.slow),
    ],
)
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


def aer_model():
    model = NoiseModel(["rz", "sx", "x", "cx"])
    model.add_quantum_error(amplitude_damping_error(0.05), "sx", [0])
    model.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), "cx")
    model.add_quantum_error(depolarizing_error(0.05, 2), "cx", [0, 1])
    model.add_quantum_error(depolarizing_error(0.1, 2), "cx", [1, 2])
    model.add_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]), [1])
    return model


@pytest.mark.parametrize("options", [{}, {"noise_scale": 1.6}, {"error_kinds": "two-qubit"}])
def test_a_noise_model_is_simulated_by_both_methods(
    options, make_circuit, values_for, within_errors
):
    circuit = make_circuit(3)
    pub = (circuit, [["ZII"], ["IXZ"]], values_for(circuit, (2,)))
    exact = open_backend(noise_model=aer_model(), precision=0, seed=1, **options)
    wanted = exact.estimator().run([pub]).result()[0].data.evs
    for method in ("density", "aer"):
        backend = open_backend(
            noise_model=aer_model(), shots=20_000, method=method, seed=1, **options
        )
        within_errors(backend.estimator().run([pub]).result()[0], wanted)


def test_a_noise_model_is_a_machine_as_others_are(make_circuit, values_for):
    backend = open_backend(noise_model=aer_model(), shots=100, seed=1)
    assert backend.name.startswith("noisy:NoiseModel-") and backend.num_qubits == 3
    assert "zne" in backend.mitigations and backend.noise["error_2q_median"] > 0.03
    circuit = make_circuit(2)
    pub = (circuit, "ZI", values_for(circuit))
    again = pickle.loads(pickle.dumps(backend))
    mitigated = backend.with_mitigation("readout")
    assert mitigated.options.mitigation == "readout" and mitigated.name == backend.name
    values = [one.estimator().run([pub]).result()[0].data.evs for one in (backend, again)]
    assert values[0] == values[1]
    assert backend.device_description() == again.device_description()


def test_a_description_is_taken_as_it_is(make_circuit, values_for):
    spec = NoiseSpec.from_dict(open_noise("fake_manila").to_dict())
    circuit = make_circuit(2)
    pub = (circuit, "ZI", values_for(circuit))
    given = open_backend(noise_model=spec, precision=0, seed=1)
    named = open_backend("noisy:fake_manila", precision=0, seed=1)
    found = [one.estimator().run([pub]).result()[0].data.evs for one in (given, named)]
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    with pytest.raises(NoiseModelError, match="stale"):
        open_backend(noise_model=spec, max_age_days=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "name, or noise_model="),
        ({"name": "aer", "noise_model": NoiseModel()}, "not both"),
        ({"noise_model": "fake_manila"}, "not str"),
        ({"noise_model": NoiseModel(), "method": "statevector"}, "takes auto, density, aer"),
        ({"noise_model": NoiseModel(), "max_terms": 3}, "no option max_terms="),
        ({"noise_model": NoiseModel(), "error_kinds": "readout"}, "has no readout errors"),
    ],
)
def test_what_no_noise_model_takes_is_refused(given, says):
    with pytest.raises(QVLMError, match=says):
        open_backend(**given)
