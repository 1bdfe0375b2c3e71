"""Circuits that the tests of the backends share."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterVector
from qiskit.primitives import (
    BaseEstimatorV2,
    DataBin,
    PrimitiveResult,
    PubResult,
    StatevectorEstimator,
)
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import DensityMatrix, SparsePauliOp
from qiskit_aer import AerSimulator

from qvlm_qiskit.backends.pubs.active_qubits import (
    active_qubits,
    restrict_circuit,
    restrict_observables,
)
from qvlm_qiskit.backends.pubs.jobs import FinishedJob


class RotationTree(Gate):
    """A custom gate with three angles and a definition of RY and CX, as an encoder has."""

    def __init__(self, angles):
        super().__init__("rotation_tree", 2, list(angles))

    def _define(self):
        circuit = QuantumCircuit(2)
        circuit.ry(self.params[0], 1)
        circuit.ry(self.params[1], 0)
        circuit.cx(1, 0)
        circuit.ry(self.params[2], 0)
        self.definition = circuit


def variational_circuit(num_qubits=3, layers=1, custom=False):
    """A parametrised circuit that is not symmetric in its qubits."""
    circuit = QuantumCircuit(num_qubits)
    count = layers * 2 * num_qubits + (3 if custom else 0)
    angles = iter(ParameterVector("t", count))
    if custom:
        circuit.append(RotationTree([next(angles) for _ in range(3)]), [0, 1])
    for _ in range(layers):
        for qubit in range(num_qubits):
            circuit.ry(next(angles), qubit)
            circuit.rz(2 * next(angles) + 0.3, qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    circuit.rx(0.4, 0)
    return circuit


def random_values(circuit, shape=(), seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-np.pi, np.pi, (*shape, circuit.num_parameters))


def exact_values(circuit, observables, values):
    return StatevectorEstimator().run([(circuit, observables, values)]).result()[0].data.evs


def assert_within_errors(result, exact, sigmas=5.0):
    """Every value lies within a few of its standard errors (and a little for tiny errors)."""
    evs, stds = np.asarray(result.data.evs), np.asarray(result.data.stds)
    assert evs.shape == np.shape(exact)
    worst = np.max(np.abs(evs - exact) / (stds + 2e-3))
    assert worst < sigmas, f"{worst:.1f} standard errors: {evs} against {exact} ± {stds}"


@pytest.fixture
def make_circuit():
    return variational_circuit


@pytest.fixture
def values_for():
    return random_values


@pytest.fixture
def exact():
    return exact_values


@pytest.fixture
def within_errors():
    return assert_within_errors


@pytest.fixture
def custom_gate():
    return RotationTree


class ExactDevice(BaseEstimatorV2):
    """A noisy device with infinitely many shots: Aer's density matrices, row by row.

    It remembers the pubs of every job. Its noise model is that of the active qubits.
    """

    def __init__(self, noise_model):
        self.noise_model = noise_model if callable(noise_model) else lambda qubits: noise_model
        self.jobs_run = []

    def run(self, pubs, *, precision=None):
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        self.jobs_run.append(coerced)
        return FinishedJob(PrimitiveResult([self._run(pub) for pub in coerced]))

    @property
    def templates(self):
        """The distinct circuit objects that were run."""
        return {id(pub.circuit): pub.circuit for job in self.jobs_run for pub in job}

    def _run(self, pub):
        qubits = active_qubits(pub.circuit, pub.observables)
        reduced = restrict_observables(pub.observables, qubits).sparse_observables_array().ravel()
        operators = [SparsePauliOp.from_sparse_observable(o.as_paulis()) for o in reduced]
        names = [parameter.name for parameter in pub.circuit.parameters]
        rows = pub.parameter_values.as_array(names).reshape(pub.parameter_values.size, -1)
        circuits = []
        for row in rows:
            circuit = restrict_circuit(pub.circuit, qubits)
            circuit.assign_parameters(dict(zip(names, row, strict=True)), inplace=True)
            circuit.save_density_matrix()
            circuits.append(circuit)
        simulator = AerSimulator(method="density_matrix", noise_model=self.noise_model(qubits))
        result = simulator.run(circuits, shots=1).result()
        states = [DensityMatrix(result.data(i)["density_matrix"]) for i in range(len(circuits))]
        table = np.array([[s.expectation_value(o).real for s in states] for o in operators])
        which, row = np.broadcast_arrays(
            np.arange(len(operators)).reshape(pub.observables.shape),
            np.arange(len(rows)).reshape(pub.parameter_values.shape),
        )
        evs = table[which, row]
        return PubResult(DataBin(evs=evs, stds=np.zeros_like(evs), shape=evs.shape), {})


@pytest.fixture
def exact_device():
    return ExactDevice
