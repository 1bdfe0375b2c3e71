"""Noisy backends: one description, two methods, and files, dates and sums as names."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend, open_noise
from qvlm_qiskit.errors import BackendError, CapacityError, InputError
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
