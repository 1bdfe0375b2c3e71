"""Programs that are simulated in parts, against what they mean."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.devices.programs import bits_in_parts, connected, on_qubits
from qvlm_qiskit.errors import CapacityError


def pairs(count):
    """Bell pairs side by side, the first qubit of each turned by an angle."""
    circuit = QuantumCircuit(2 * count)
    for pair in range(count):
        circuit.ry(Parameter(f"a{pair}"), 2 * pair)
        circuit.cx(2 * pair, 2 * pair + 1)
    circuit.barrier()
    circuit.measure_all()
    return circuit


def noise_free(part):
    return AerSimulator()


def test_outcomes_of_forty_qubits_are_those_of_twenty_pairs():
    circuit, shots = pairs(20), 4000
    values = np.random.default_rng(0).uniform(0, np.pi, (3, 20))
    ordered = [int(p.name[1:]) for p in circuit.parameters]
    (bits,) = bits_in_parts([(circuit, values)], range(40), shots, noise_free, 7, 2)
    found = bits["meas"]
    assert found.shape == (3, shots, 40)
    np.testing.assert_array_equal(found[..., ::2], found[..., 1::2])
    ones = found[..., ::2].mean(axis=1)
    expected = np.sin(values[:, np.argsort(ordered)] / 2) ** 2
    assert np.abs(ones - expected).max() < 5 * 0.5 / np.sqrt(shots)
    spins = 1.0 - 2.0 * found[0, :, ::2]
    correlations = np.corrcoef(spins[:, expected[0] * (1 - expected[0]) > 0.05], rowvar=False)
    assert np.abs(correlations - np.eye(len(correlations))).max() < 6 / np.sqrt(shots)


def test_equal_seeds_give_equal_bits():
    circuit, values = pairs(3), np.full((1, 3), 1.0)

    def run(seed):
        return bits_in_parts([(circuit, values)], range(6), 50, noise_free, seed, 4)[0]["meas"]

    np.testing.assert_array_equal(run(3), run(3))
    assert (run(3) != run(4)).any()


def test_what_is_connected_and_too_large_is_refused():
    circuit = pairs(2)
    assert connected([circuit], range(4)) == [(0, 1), (2, 3)]
    other = QuantumCircuit(4)
    other.cz(1, 2)
    assert connected([circuit, other], range(4)) == [(0, 1, 2, 3)]
    with pytest.raises(CapacityError, match="2 qubits are connected"):
        bits_in_parts([(circuit, np.ones((1, 2)))], range(4), 1, None, 1, 1)


def test_a_circuit_on_some_qubits_keeps_its_registers_and_the_values_there():
    circuit = pairs(2)
    reduced, values = on_qubits(circuit, np.array([[0.1, 0.2]]), (2, 3))
    assert (reduced.num_qubits, reduced.num_clbits) == (2, 4)
    assert [p.name for p in reduced.parameters] == ["a1"]
    np.testing.assert_array_equal(values, [[0.2]])


@pytest.mark.parametrize("mitigation", ["none", "readout", "resilience-1"])
def test_local_mode_on_tiles_executes_what_is_planned(mitigation):
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    observables, values = [["ZI"], ["IZ"], ["XX"]], np.linspace(-2, 2, 11).reshape(-1, 1)
    backend = open_backend("fake_kolkata", shots=2000, seed=1, mitigation=mitigation, tiles=4)
    planned = backend.preflight({"c": (circuit, observables)}, 11, mitigations=[mitigation]).levels[
        0
    ]
    result = backend.estimator().run([(circuit, observables, values)]).result()[0]
    about = result.metadata
    calibration = about.get("calibration_executions") or about.get(
        "calibration_executions_of_job", 0
    )
    assert about["executions"] + calibration == planned.executions
    alone = open_backend("fake_kolkata", shots=2000, mitigation=mitigation)
    before = alone.preflight({"c": (circuit, observables)}, 11, mitigations=[mitigation]).levels[0]
    assert 11 * about["executions"] == 3 * (before.executions - before.calibration_executions)
    exact = open_backend("statevector").estimator().run([(circuit, observables, values)])
    rms = np.sqrt(np.mean((result.data.evs - exact.result()[0].data.evs) ** 2))
    assert rms < 0.06
