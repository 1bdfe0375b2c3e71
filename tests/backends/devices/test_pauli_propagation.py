"""Pauli propagation: values within the bounds that are stated with them."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import InputError, MissingDependencyError
from qvlm_qiskit.quantum import QuantumLayer, make_qnn

NAME = "pauli-propagation"
installed = pytest.mark.usefixtures("package")
GATES = [
    lambda c, a, q, p: c.rx(a, q),
    lambda c, a, q, p: c.ry(a, q),
    lambda c, a, q, p: c.rzz(a, q, p),
    lambda c, a, q, p: c.crx(a, q, p),
    lambda c, a, q, p: c.p(a, q),
    lambda c, a, q, p: c.cx(q, p),
    lambda c, a, q, p: c.swap(q, p),
    lambda c, a, q, p: c.h(q),
    lambda c, a, q, p: c.t(q),
]


@pytest.fixture
def package():
    pytest.importorskip("pauli_prop")


def some_circuit(rng, n, gates):
    circuit = QuantumCircuit(n)
    for _ in range(gates):
        q, p = rng.choice(n, 2, replace=False).tolist()
        GATES[rng.integers(len(GATES))](circuit, float(rng.normal()), q, p)
    return circuit


def some_observables(rng, n):
    terms = [
        ("".join(rng.choice(list("XYZ"), 2)), rng.choice(n, 2, replace=False).tolist(), 0.7),
        ("Z", [0], -1.3),
        ("", [], 0.2),
        ("X", [n - 1], 1e-3),
    ]
    return [SparsePauliOp.from_sparse_list(terms[:count], num_qubits=n) for count in (1, 4)]


CUTS = ({}, {"max_terms": 8}, {"truncation_threshold": 0.05})


def assert_within_bounds(seed, n, gates, cuts=CUTS):
    rng = np.random.default_rng(seed)
    circuit, observables = some_circuit(rng, n, gates), some_observables(rng, n)
    state = Statevector(circuit)
    exact = np.array([state.expectation_value(each).real for each in observables])
    for cut in cuts:
        backend = open_backend(NAME, optimization_level=1, **cut)
        result = backend.estimator().run([(circuit, observables)]).result()[0]
        bounds = np.array(result.metadata["truncation_errors"])
        assert (np.abs(result.data.evs - exact) <= bounds + 1e-9).all()
        assert result.metadata["truncation_error"] == bounds.max()
        assert cut.items() <= result.metadata.items()


@installed
@pytest.mark.parametrize("seed", range(10))
def test_values_are_within_their_bounds(seed):
    assert_within_bounds(seed, 3 + seed % 4, 25)


@installed
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 600))
def test_values_of_circuits_up_to_twenty_qubits_are_within_their_bounds(seed):
    assert_within_bounds(seed, 4 + seed % 17, 40, CUTS[seed % 3 : seed % 3 + 1])


@installed
def test_a_wide_chain_with_rows_and_what_is_said_of_it():
    angles = ParameterVector("a", 2)
    circuit = QuantumCircuit(60)
    circuit.ry(angles[0], range(60))
    circuit.cx(range(59), range(1, 60))
    circuit.rz(angles[1], range(60))
    last = SparsePauliOp.from_sparse_list([("Z", [7], 1.0)], num_qubits=60)
    backend = open_backend(NAME, max_terms=1000)
    values = np.array([[0.4, 0.1], [0.9, 0.2]])
    result = backend.estimator().run([(circuit, last, values)]).result()[0]
    np.testing.assert_allclose(result.data.evs, np.cos(values[:, 0]) ** 8, atol=1e-10)
    about = backend.describe()
    assert about["kind"] == "approximate"
    assert about["device"]["max_terms"] == 1000


@installed
def test_a_layer_is_trained_by_shifts():
    inputs, weights = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    for q in range(2):
        circuit.ry(inputs[q], q)
        circuit.rx(weights[q], q)
    circuit.cx(0, 1)
    layer = QuantumLayer(make_qnn(circuit, list(inputs), list(weights)))
    rows = torch.rand(3, 2, dtype=torch.float64)
    layer(rows).sum().backward()
    expected, layer.weight.grad = layer.weight.grad, None
    with layer.run_on(open_backend(NAME), gradient="param_shift"):
        layer(rows).sum().backward()
    torch.testing.assert_close(layer.weight.grad, expected, atol=1e-5, rtol=0)


@installed
def test_samples_are_not_drawn():
    with pytest.raises(InputError, match="not sampled"):
        open_backend(NAME).estimator().run([(QuantumCircuit(1), "Z")], precision=0.1)


@pytest.mark.parametrize("options", [{"shots": 10}, {"device": "cpu"}, {"method": "aer"}])
def test_options_of_others_are_refused(options):
    with pytest.raises(InputError, match="takes no option"):
        open_backend(NAME, **options)


def test_without_its_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pauli_prop", None)
    with pytest.raises(MissingDependencyError, match=r"pauli-prop.*qvlm-qiskit\[propagation\]"):
        open_backend(NAME)
