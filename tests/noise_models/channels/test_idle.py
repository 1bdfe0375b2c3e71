"""What a delay does under noise: on both engines, against Kraus maps."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Pauli
from qiskit_aer.noise import thermal_relaxation_error

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CircuitError


def waiting(duration, unit):
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.h(1)
    circuit.delay(duration, 0, unit=unit)
    circuit.delay(duration, 1, unit=unit)
    return circuit


def estimated(backend, circuit):
    return backend.estimator().run([(circuit, ["IZ", "XI"])]).result()[0].data


@pytest.mark.parametrize(("duration", "unit"), [(0.03, "ms"), (30, "us"), (30_000, "ns")])
def test_a_delay_relaxes_for_its_duration(duration, unit):
    # gates take no time here, so that only the delay relaxes
    noise = "noisy:thermal(t1_us=100,t2_us=80,time_1q_ns=0,time_2q_ns=0)"
    state = DensityMatrix(waiting(1, "us").copy_empty_like())
    state = state.evolve(waiting(0, "us"))
    for qubit in (0, 1):
        state = state.evolve(thermal_relaxation_error(100, 80, 30).to_quantumchannel(), [qubit])
    wanted = [state.expectation_value(Pauli(label)).real for label in ("IZ", "XI")]
    assert wanted == pytest.approx([1 - 2 * np.exp(-0.3), np.exp(-30 / 80)])
    circuit = waiting(duration, unit)
    exact = estimated(open_backend(noise, precision=0), circuit)
    assert exact.evs == pytest.approx(wanted, abs=1e-9)
    sampled = estimated(open_backend(noise, shots=20_000, seed=1, method="aer"), circuit)
    assert np.abs(sampled.evs - wanted).max() < 5 * 0.01


def test_noise_of_gates_leaves_a_delay_alone():
    circuit = waiting(1, "s")
    bare = circuit.copy()
    bare.data = [item for item in circuit.data if item.name != "delay"]
    backend = open_backend("noisy:depolarizing(0.01)", precision=0)
    assert estimated(backend, circuit).evs == pytest.approx(estimated(backend, bare).evs)


def test_a_devices_own_unit_and_times_are_used():
    backend = open_backend("noisy:fake_manila", precision=0, noise_scale=1)
    properties = backend.compiler.target.qubit_properties
    circuit = QuantumCircuit(1)
    circuit.x(0)
    steps = 1_000_000
    found = {}
    for count in (0, steps):
        waited = circuit.copy()
        waited.delay(count, 0)
        compiled = backend.compile(waited, "Z")
        raw = backend.device.run([(compiled.circuit, compiled.observables)]).result()[0]
        found[count] = float(raw.data.evs), compiled.layout[0]
    (before, _), (after, qubit) = found[0], found[steps]
    keep = np.exp(-steps * backend.compiler.target.dt / properties[qubit].t1)
    relaxed = 1 - keep * (1 - before)
    assert after == pytest.approx(relaxed, abs=0.05)
    assert after > before + 0.5


def test_a_unit_that_the_noise_does_not_know_is_refused():
    with pytest.raises(CircuitError, match="give delays in ns"):
        estimated(open_backend("noisy:thermal(t1_us=9,t2_us=9)", precision=0), waiting(5, "dt"))
