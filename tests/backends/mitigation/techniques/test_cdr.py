"""Clifford data regression: the map that it learns, and what it can not learn."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import Pauli, SparseObservable, SparsePauliOp, Statevector
from qiskit_aer.noise import NoiseModel, depolarizing_error

from qvlm_qiskit.backends.mitigation import CliffordRegressed
from qvlm_qiskit.backends.mitigation.techniques.cdr import LinearFit
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


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_the_unit_of_an_observable_changes_nothing(unit, exact_device, make_circuit, values_for):
    circuit = make_circuit()
    device = exact_device(build(NOISE))
    plain = SparsePauliOp(["ZIZ", "IIX"], [1.0, 0.5])
    shifted = SparsePauliOp(["ZIZ", "IIX", "III"], [1.0, 0.5, 100.0])
    values = values_for(circuit, (2,))
    found = []
    for observable in (plain, SparseObservable.from_sparse_pauli_op(unit * plain), shifted):
        pub = EstimatorPub(
            circuit,
            ObservablesArray(observable, validate=False)
            if isinstance(observable, SparseObservable)
            else ObservablesArray.coerce(observable),
            BindingsArray.coerce({tuple(circuit.parameters): values}),
            0.05,
        )
        answer = CliffordRegressed(device, 12, seed=1).run([pub]).result()[0].data
        found.append((answer.evs, answer.stds))
    np.testing.assert_allclose(found[1][0], unit * found[0][0], rtol=1e-6)
    np.testing.assert_allclose(found[1][1], unit * found[0][1], rtol=1e-6)
    np.testing.assert_allclose(found[2][0], 100 + found[0][0], rtol=1e-6)


def test_a_clifford_circuit_has_its_exact_value(exact_device):
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(np.pi / 2, 0)
    circuit.sx(0)
    circuit.cz(0, 1)
    state = Statevector(circuit)
    labels = ["ZZ", "IX", "XY"]
    result = CliffordRegressed(exact_device(build(NOISE))).run([(circuit, labels, None, 0.1)])
    wanted = [state.expectation_value(Pauli(label)).real for label in labels]
    assert result.result()[0].data.evs == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_errors_pass_through_the_fit(unit):
    """The stated error is that of the value and of every training value, to first order."""
    random = np.random.default_rng(4)
    exact, noisy = unit * random.uniform(-1, 1, (2, 6)), unit * random.uniform(-0.7, 0.7, (2, 6))
    errors, scale = unit * random.uniform(0.01, 0.05, (2, 6)), np.full(2, unit)
    which, x, error = np.array([1, 0, 1]), unit * np.array([0.4, -0.3, 0.1]), unit * 0.02

    def predicted(training, x):
        return LinearFit.of(training, errors, exact, scale).predict(which, x, error)[0]

    step = 1e-6 * unit
    by_value = (predicted(noisy, x + step) - predicted(noisy, x - step)) / (2 * step)
    variance = (by_value * error) ** 2
    for index in np.ndindex(noisy.shape):
        moved = np.zeros_like(noisy)
        moved[index] = step
        slope = (predicted(noisy + moved, x) - predicted(noisy - moved, x)) / (2 * step)
        variance += (slope * errors[index]) ** 2
    stds = LinearFit.of(noisy, errors, exact, scale).predict(which, x, error)[1]
    np.testing.assert_allclose(stds, np.sqrt(variance), rtol=1e-5)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_what_varies_by_rounding_alone_is_moved_by_its_mean(unit):
    def fitted(deviation):
        noisy = unit * (0.3 + deviation * np.array([[1.0, -1.0, 0.0]]))
        exact = unit * (1.0 + 2 * deviation * np.array([[1.0, -1.0, 0.0]]))
        return LinearFit.of(noisy, np.zeros((1, 3)), exact, np.array([unit]))

    assert fitted(1e-5).slope == pytest.approx([2.0], rel=1e-6)
    assert fitted(1e-8).slope == pytest.approx([1.0])
    assert fitted(1e-8).intercept == pytest.approx([0.7 * unit])
