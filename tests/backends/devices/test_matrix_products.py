"""Aer's matrix product states: values, what is cut off, and what they are not for."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BackendError, CircuitError, InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, make_qnn, variational_layer
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.training import train

MPS = {"method": "matrix_product_state"}


def network(n=4):
    inputs, weights = ParameterVector("x", n), ParameterVector("w", 3 * n)
    circuit = QuantumCircuit(n)
    for q in range(n):
        circuit.ry(inputs[q], q)
    variational_layer(circuit, weights)
    return QuantumLayer(make_qnn(circuit, list(inputs), list(weights)))


def test_values_are_exact_where_nothing_is_cut_off(make_circuit, values_for, exact):
    circuit = make_circuit(custom=True, layers=2)
    values = values_for(circuit, (4,))
    observables = [["ZII"], ["IXY"], [SparsePauliOp(["ZZI", "III"], [0.5, -1.0])]]
    backend = open_backend("aer", seed=1, **MPS)
    result = backend.estimator().run([(circuit, observables, values)]).result()[0]
    operators = [
        [SparsePauliOp(*each)] if isinstance(each[0], str) else each for each in observables
    ]
    np.testing.assert_allclose(result.data.evs, exact(circuit, operators, values), atol=1e-8)
    assert result.metadata["method"] == "matrix_product_state"


def test_what_is_cut_off_is_said_and_moves_values():
    layer = network(6)
    inputs = torch.rand(2, 6, dtype=torch.float64)
    expected = layer(inputs)
    backend = open_backend("aer", max_bond_dimension=2, truncation_threshold=1e-9, **MPS)
    with layer.run_on(backend):
        assert 1e-4 < float((layer(inputs) - expected).abs().max().detach()) < 1
    about = {"method": "matrix_product_state", "max_bond_dimension": 2}
    about["truncation_threshold"] = 1e-9
    assert backend.describe()["kind"] == "approximate"
    assert about.items() <= backend.describe()["device"].items()
    assert about.items() <= backend.device_description().items()
    pub = (QuantumCircuit(1), "Z")
    assert about.items() <= backend.estimator().run([pub]).result()[0].metadata.items()


def test_a_chain_that_is_too_wide_for_states_runs():
    circuit = QuantumCircuit(60)
    circuit.ry(0.4, range(60))
    circuit.cx(range(59), range(1, 60))
    total = SparsePauliOp.from_sparse_list([("ZZ", [0, 59], 1.0)], num_qubits=60)
    found = open_backend("aer", **MPS).estimator().run([(circuit, total)]).result()[0].data.evs
    # Z of the last one is the parity of all, Z of the first one squares to 1
    assert found == pytest.approx(np.cos(0.4) ** 59, abs=1e-8)


def test_gradients_are_shifts_and_only_where_they_were_asked_for():
    layer = network(2)
    inputs = torch.rand(2, 2, dtype=torch.float64)
    layer(inputs).sum().backward()
    expected, layer.weight.grad = layer.weight.grad, None
    backend = open_backend("aer", **MPS)
    with layer.run_on(backend), pytest.raises(CircuitError, match="no gradient: run_on"):
        layer(inputs).sum().backward()
    with layer.run_on(backend, gradient="param_shift"):
        assert layer.differentiable_engine() is None
        layer(inputs).sum().backward()
    torch.testing.assert_close(layer.weight.grad, expected, atol=1e-5, rtol=0)


def test_training_needs_a_gradient(tmp_path):
    options = TrainingOptions(recipe="tiny", steps=1, batch_size=2, train_samples=4)
    with pytest.raises(BackendError, match="without a gradient"):
        train(options, tmp_path / "run", backend=open_backend("aer", **MPS))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({**MPS, "shots": 10}, "takes shots= with method='statevector'"),
        ({**MPS, "precision": 0.1}, "takes precision= with method='statevector'"),
        ({**MPS, "device": "gpu"}, "runs on 'cpu'"),
        ({"max_bond_dimension": 3}, "with method='matrix_product_state'"),
        ({**MPS, "max_bond_dimension": 0}, "max_bond_dimension is 0"),
        ({**MPS, "truncation_threshold": 1.0}, "truncation_threshold is 1.0"),
        ({"method": "density"}, "takes auto, statevector, matrix_product_state"),
    ],
)
def test_what_does_not_go_together_is_refused(options, says):
    with pytest.raises(InputError, match=says):
        open_backend("aer", **options)


def test_methods_of_others_are_refused():
    with pytest.raises(InputError, match="takes auto, density, aer"):
        open_backend("noisy:fake_manila", **MPS)
    with pytest.raises(UnknownNameError, match="matrix_product_state"):
        open_backend("aer", method="matrix_product")
    estimator = open_backend("aer", **MPS).estimator()
    with pytest.raises(InputError, match="not sampled"):
        estimator.run([(QuantumCircuit(1), "Z")], precision=0.1)


def test_wide_circuits_of_cones_are_the_engines_values():
    circuit = QuantumCircuit(30)
    circuit.ry(0.4, range(30))
    circuit.rzz(0.7, range(0, 30, 2), range(1, 30, 2))
    circuit.rx(0.3, range(30))
    observables = [SparsePauliOp.from_sparse_list([("ZY", [q, q + 1], 1.0)], 30) for q in (0, 7)]
    pub = (circuit, observables)
    own = TorchEstimator(dtype="complex128").run([pub]).result()[0].data.evs
    found = open_backend("aer", **MPS).estimator().run([pub]).result()[0].data.evs
    np.testing.assert_allclose(found, own, atol=1e-8)
