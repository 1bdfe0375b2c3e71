"""Clifford data regression: the map that it learns, and what it can not learn."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit_aer.noise import NoiseModel, depolarizing_error

from qvlm_qiskit.backends.mitigation import CliffordRegressed
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import build
from tests.backends.mitigation.circuits import NOISE


def test_regression_learns_the_map_of_a_global_channel(exact_device):
    """Depolarising noise on every layer of both qubits is an affine map: learned exactly."""
    angles = ParameterVector("a", 4)
    circuit = QuantumCircuit(2)
    for qubit in (0, 1):
        circuit.sx(qubit)
        circuit.rz(angles[qubit], qubit)
        circuit.sx(qubit)
    circuit.cz(0, 1)
    for qubit in (0, 1):
        circuit.rz(angles[2 + qubit], qubit)
        circuit.sx(qubit)
    model = NoiseModel(["rz", "sx", "x", "cz"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.3, 2), "cz")
    pub = (circuit, [["ZI"], ["IZ"], ["ZZ"]], np.linspace(0, 3, 20).reshape(5, 4), 0.05)
    expected = StatevectorEstimator().run([pub[:3]]).result()[0].data.evs
    result = CliffordRegressed(exact_device(model), 8, 0.3, seed=1).run([pub]).result()[0]
    np.testing.assert_allclose(result.data.evs, expected, atol=1e-9)
    entry = result.metadata["mitigation"][0]
    assert entry["slope"] == pytest.approx([1 / 0.7] * 3)
    assert entry["residual_rms"] == pytest.approx([0] * 3, abs=1e-9)


def test_observables_that_no_training_circuit_moves_are_refused(exact_device):
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(0.3, 0)
    circuit.cz(0, 1)
    device = exact_device(build(NOISE))
    with pytest.raises(MitigationError, match="observable 1"):
        CliffordRegressed(device).run([(circuit, ["IX", "ZI"], None, 0.1)])
    assert device.jobs_run == []
