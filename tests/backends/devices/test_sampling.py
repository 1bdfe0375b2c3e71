"""Sampling with Aer: measured circuits, shots, seeds and standard errors."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CircuitError, InputError


def test_results_belong_to_the_seed_and_rows_are_independent(make_circuit, values_for):
    circuit = make_circuit()
    values = np.repeat(values_for(circuit, (1,)), 6, axis=0)

    def run(seed, name="noisy:fake_manila"):
        backend = open_backend(name, shots=500, seed=seed)
        return backend.estimator().run([(circuit, "ZII", values)]).result()[0].data.evs

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))
    assert not np.array_equal(run(None), run(None))
    assert len(set(run(1).tolist())) > 1
    np.testing.assert_array_equal(run(1, "fake_manila"), run(1, "fake_manila"))


def test_precision_decides_the_shots(make_circuit, values_for):
    circuit = make_circuit()
    estimator = open_backend("noisy:fake_manila", precision=0.1, seed=1).estimator()
    pub = (circuit, "ZII", values_for(circuit))
    assert estimator.run([pub]).result()[0].metadata["shots"] == 100
    assert estimator.run([pub], precision=0.05).result()[0].metadata["shots"] == 400
    exact_backend = open_backend("aer", shots=1000, seed=1).estimator()
    assert exact_backend.run([pub]).result()[0].metadata["shots"] == 1000


def test_a_precision_of_zero_cannot_be_sampled(make_circuit, values_for):
    circuit = make_circuit()
    estimator = open_backend("noisy:fake_manila", method="aer").estimator()
    with pytest.raises(InputError, match="precision"):
        estimator.run([(circuit, "ZII", values_for(circuit))], precision=0.0)


@pytest.mark.slow
def test_the_reduced_device_gives_what_the_full_device_gives():
    """On all five qubits of the device, and on the two that the circuit uses."""
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel
    from qiskit_ibm_runtime.fake_provider import FakeManilaV2

    circuit = QuantumCircuit(2)
    circuit.rx(0.7, 0)
    circuit.cx(0, 1)
    backend = open_backend("noisy:fake_manila", shots=200_000, seed=5)
    result = backend.estimator().run([(circuit, ["ZI", "IZ", "ZZ"])]).result()[0]
    compiled = backend.compile(circuit, ["ZI", "IZ", "ZZ"])
    full = compiled.circuit.copy()
    full.measure_all()
    simulator = AerSimulator(noise_model=NoiseModel.from_backend(FakeManilaV2()))
    counts = simulator.run(full, shots=200_000, seed_simulator=6).result().get_counts()
    for value, observable in zip(
        result.data.evs, compiled.observables.sparse_observables_array(), strict=True
    ):
        signs = [
            (-1) ** sum(bits[::-1][qubit] == "1" for qubit in observable.indices) for bits in counts
        ]
        mean = np.dot(signs, list(counts.values())) / 200_000
        assert value == pytest.approx(mean, abs=0.015)


def test_delays_that_break_the_devices_timing_are_refused():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.delay(1001, 0, "dt")
    with pytest.raises(CircuitError, match="can't be compiled"):
        open_backend("noisy:fake_manila").estimator().run([(circuit, "Z")])
