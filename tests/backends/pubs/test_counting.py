"""What is measured of a pub, and what its counts say."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends import open_backend


def test_constants_and_circuits_without_gates_or_parameters():
    backend = open_backend("noisy:fake_manila", shots=1000, noise_scale=0, seed=1)
    empty = QuantumCircuit(2)
    pubs = [(empty, SparsePauliOp(["II", "ZZ"], [3.0, 0.5])), (empty, ["II"])]
    first, second = backend.estimator().run(pubs).result()
    assert first.data.evs == pytest.approx(3.5)
    assert second.data.evs == pytest.approx([1.0])
    assert second.data.stds == pytest.approx([0.0])
    assert second.metadata["executions"] == 0


def test_one_measured_circuit_serves_all_commuting_observables(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (5,))
    estimator = open_backend("noisy:fake_manila", shots=50, seed=1).estimator()
    commuting = [["ZII"], ["IZI"], ["IIZ"], ["ZZZ"]]
    metadata = estimator.run([(circuit, commuting, values)]).result()[0].metadata
    assert metadata["measurement_groups"] == 1
    assert metadata["circuits"] == 5
    assert metadata["executions"] == 250
    mixed = estimator.run([(circuit, [["ZII"], ["XII"]], values)]).result()[0].metadata
    assert (mixed["measurement_groups"], mixed["circuits"]) == (2, 10)


def test_only_the_rows_that_need_a_basis_are_measured_in_it(make_circuit, values_for):
    circuit = make_circuit()
    values = values_for(circuit, (2,))
    estimator = open_backend("noisy:fake_manila", shots=50, seed=1).estimator()
    metadata = estimator.run([(circuit, ["ZII", "XII"], values)]).result()[0].metadata
    assert metadata["circuits"] == 2


def test_standard_errors_are_those_of_the_estimates(make_circuit, values_for):
    """The spread over independent repetitions is the stated standard error."""
    circuit = make_circuit()
    values = np.repeat(values_for(circuit, (1,), seed=3), 400, axis=0)
    observable = SparsePauliOp(["ZZI", "IZZ", "XXI", "IIX"], [1.0, 0.7, -0.5, 0.3])
    backend = open_backend("noisy:fake_manila", shots=200, seed=9)
    data = backend.estimator().run([(circuit, observable, values)]).result()[0].data
    assert np.std(data.evs) == pytest.approx(np.mean(data.stds), rel=0.15)
