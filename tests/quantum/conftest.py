"""Oracles: the slow, obvious way to every number that the engine computes."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_machine_learning.neural_networks import EstimatorQNN
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine


def slow_values(circuit, observables, rows, parameters=None):
    """One bound circuit, one ``Statevector``, one expectation value at a time."""
    parameters = list(circuit.parameters if parameters is None else parameters)
    values = np.empty((len(rows), len(observables)))
    for i, row in enumerate(np.asarray(rows, dtype=float)):
        binding = {p: v for p, v in zip(parameters, row, strict=True) if p in circuit.parameters}
        state = Statevector(circuit.assign_parameters(binding))
        for j, observable in enumerate(observables):
            values[i, j] = np.real(state.expectation_value(observable))
    return values


def slow_jacobian(circuit, observables, row, parameters=None, step=3e-6):
    """Central differences of :func:`slow_values`: ``(n_observables, n_parameters)``."""
    row = np.asarray(row, dtype=float)
    shifts = np.eye(len(row)) * step
    plus = slow_values(circuit, observables, row + shifts, parameters)
    minus = slow_values(circuit, observables, row - shifts, parameters)
    return (plus - minus).T / (2 * step)


def engine_values(circuit, observables, rows, parameters=None, num_batched=None):
    """The engine in complex128; parameters from ``num_batched`` on are taken from row 0."""
    parameters = list(circuit.parameters if parameters is None else parameters)
    num_batched = len(parameters) if num_batched is None else num_batched
    engine = StatevectorEngine(compile_circuit(circuit, parameters), observables, num_batched)
    rows = torch.as_tensor(np.asarray(rows, dtype=float))
    return engine.expectations(rows[:, :num_batched], rows[0, num_batched:]).numpy()


@pytest.fixture(scope="session")
def twin():
    return slow_values


@pytest.fixture(scope="session")
def twin_jacobian():
    return slow_jacobian


@pytest.fixture(scope="session")
def engine():
    return engine_values


class Counting:
    """Mixin that remembers every call of ``run``."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = []

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.calls.append((pubs, precision))
        return super().run(pubs, precision=precision)


class CountingStatevector(Counting, StatevectorEstimator):
    pass


class CountingQML(Counting, QMLEstimator):
    pass


class CountingTorch(Counting, TorchEstimator):
    """A subclass of the fast estimator; it must be called like anybody else's."""


COUNTING = {
    "statevector": CountingStatevector,
    "qml": CountingQML,
    "subclass": CountingTorch,
}


@pytest.fixture(params=COUNTING)
def counting(request):
    """An estimator of every kind that is not the fast one, with a record of its calls."""
    return COUNTING[request.param]()


@pytest.fixture
def counting_statevector():
    return CountingStatevector()


def small_network(**options):
    """2 inputs, 3 weights, 4 outputs, on 3 qubits; no symmetry between any two of them."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 3)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.rx(x[1], 1)
    circuit.h(2)
    circuit.cx(0, 1)
    circuit.rz(w[0], 1)
    circuit.ry(w[1], 2)
    circuit.rx(x[0], 2)
    circuit.cx(1, 2)
    circuit.ry(w[2], 0)
    circuit.rx(w[0], 1)
    options = {
        "estimator": TorchEstimator(),
        "input_gradients": True,
        "default_precision": 0.0,
        "observables": [
            SparsePauliOp(["IIZ", "XXI"], [1.0, 0.5]),
            SparsePauliOp("IZI"),
            SparsePauliOp("ZII"),
            SparsePauliOp(["YIY", "XZX", "III"], [0.7, -0.3, 0.1]),
        ],
        **options,
    }
    return EstimatorQNN(circuit=circuit, input_params=list(x), weight_params=list(w), **options)


@pytest.fixture(scope="session")
def make_network():
    return small_network


WEIGHTS = np.array([0.31, -0.72, 1.13])


@pytest.fixture
def weights():
    return WEIGHTS.copy()


@pytest.fixture
def two_threads():
    """Torch has two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
