"""Learned noise as a description that drives simulations and training."""

from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.mitigation import learned_noise
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import NoiseSpec, combined, diff, readout, snapshot, spec_target, zz

DEVICE = "fake_manila"
OBSERVABLES = [["ZIZ"], ["IZZ"]]


def alternating(layers=5):
    circuit = QuantumCircuit(3)
    for layer in range(layers):
        circuit.ry(0.4 + layer, range(3))
        circuit.cx(layer % 2, layer % 2 + 1)
    return circuit


@pytest.fixture(scope="module")
def backend():
    opened = open_backend(
        f"noisy:{DEVICE}", shots=1000, seed=1, mitigation="pea(samples=8,randomizations=16)"
    )
    opened.estimator().run([(alternating(), OBSERVABLES)]).result()
    return opened


@pytest.fixture(scope="module")
def learned(backend):
    return learned_noise(backend, snapshot(fake_device(DEVICE)))


def test_what_was_learned_takes_the_place_of_the_calibration_and_keeps_its_date(learned):
    gates = [gate for gate in learned.gates if gate.rates]
    assert 2 <= len(gates) <= 4
    assert {(gate.error, gate.duration_ns) for gate in gates} == {(0.0, None)}
    stated = {(g.name, g.qubits): g.error for g in snapshot(fake_device(DEVICE)).gates}
    for gate in gates:  # the infidelity of Paulis is 4/5 of their probability
        infidelity = 0.8 * sum(rate for _, rate in gate.rates)
        assert infidelity == pytest.approx(stated[gate.name, gate.qubits], rel=0.4)
        assert gate.infidelity == pytest.approx(infidelity, rel=0.02)
        compiled_for = spec_target(learned)[gate.name][gate.qubits]
        assert compiled_for.error == gate.infidelity  # not 0, as what is stated beside the rates
    assert learned.snapshot.calibrated_utc == snapshot(fake_device(DEVICE)).snapshot.calibrated_utc


def test_it_is_written_read_and_compared(learned, tmp_path):
    learned.save(tmp_path / "learned.json")
    again = NoiseSpec.load(tmp_path / "learned.json")
    assert again == learned
    assert again.to_dict()["version"] == 3
    changed = diff(learned, snapshot(fake_device(DEVICE)))
    assert any(one.quantity.startswith("rate of ") for one in changed)


@pytest.mark.parametrize("method", ["density", "aer"])
def test_it_makes_the_errors_that_the_machine_makes(method, learned, tmp_path):
    learned.save(tmp_path / "learned.json")
    pub = (alternating(), OBSERVABLES)
    options = {"density": {"precision": 0}, "aer": {"shots": 200_000, "seed": 3}}[method]
    values = [
        open_backend(name, method=method, **options).estimator().run([pub]).result()[0].data.evs
        for name in (f"noisy:{tmp_path}/learned.json", f"noisy:{DEVICE}")
    ]
    exact = open_backend("statevector").estimator().run([pub]).result()[0].data.evs
    assert np.abs(values[1] - exact).max() > 0.03
    np.testing.assert_allclose(values[0], values[1], atol=0.012)


def test_nothing_learned_and_another_device_are_refused(backend):
    fresh = open_backend(f"noisy:{DEVICE}", mitigation="pea")
    with pytest.raises(MitigationError, match="has learned no noise"):
        learned_noise(fresh, snapshot(fake_device(DEVICE)))
    with pytest.raises(MitigationError, match="describe the whole device"):
        learned_noise(backend, snapshot(fake_device(DEVICE), (0, 1, 2)))


def test_another_calibration_another_device_and_errors_that_were_learned_are_refused(backend):
    spec = snapshot(fake_device(DEVICE))
    later = replace(spec.snapshot, calibrated_utc="2030-01-01T00:00:00+00:00")
    with pytest.raises(MitigationError, match="is of the calibration of 2030"):
        learned_noise(backend, replace(spec, snapshot=later))
    with pytest.raises(MitigationError, match="has zz_crosstalk after gates"):
        learned_noise(backend, combined(spec, zz(0.02)))
    others = tuple(gate for gate in spec.gates if gate.width == 1)
    with pytest.raises(MitigationError, match="of another device: it has no cx on"):
        learned_noise(backend, replace(spec, gates=others))
    assert learned_noise(backend, combined(spec, readout(0.01))).sources
