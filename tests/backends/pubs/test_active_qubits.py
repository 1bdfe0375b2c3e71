import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_ibm_runtime.fake_provider import FakeLagosV2

from qvlm_qiskit.backends.pubs.active_qubits import (
    ReducedBackend,
    active_qubits,
    restrict_circuit,
    restrict_observables,
    restrict_target,
)
from qvlm_qiskit.errors import BackendError, CircuitError


def observables(*labels):
    return ObservablesArray.coerce([SparsePauliOp(label) for label in labels])


def sparse_circuit():
    circuit = QuantumCircuit(6)
    circuit.h(4)
    circuit.barrier()
    circuit.cx(4, 1)
    circuit.ry(0.3, 1)
    circuit.delay(100, 5)
    return circuit


def test_active_qubits_are_those_with_gates_or_observables():
    assert active_qubits(sparse_circuit(), observables("IIIIII")) == (1, 4)
    assert active_qubits(sparse_circuit(), observables("IIZIII", "IIIIIX")) == (0, 1, 3, 4)
    assert active_qubits(QuantumCircuit(6), observables("IIIIII")) == (0,)


def test_measuring_circuits_are_refused():
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    with pytest.raises(CircuitError, match="measurements"):
        active_qubits(circuit, observables("Z"))


def test_expectation_values_survive_the_reduction():
    labels = ["IZIIZI", "IXIIXI", "IYIIZI", "IIIIII", "IIZIZI"]
    circuit = sparse_circuit()
    qubits = active_qubits(circuit, observables(*labels))
    reduced = restrict_circuit(circuit, qubits)
    small = restrict_observables(observables(*labels), qubits)
    assert reduced.num_qubits == len(qubits) == 3
    for label, observable in zip(labels, small.sparse_observables_array(), strict=True):
        full = Statevector(circuit).expectation_value(SparsePauliOp(label))
        operator = SparsePauliOp.from_sparse_observable(observable)
        assert Statevector(reduced).expectation_value(operator) == pytest.approx(full)


def test_the_shape_of_the_observables_is_kept():
    nested = ObservablesArray.coerce([[SparsePauliOp("IZ")], [SparsePauliOp("IX")]])
    assert restrict_observables(nested, (0,)).shape == (2, 1)
    single = ObservablesArray.coerce(SparsePauliOp(["IZ", "IX"], [0.5, 2.0]))
    assert restrict_observables(single, (0,)).tolist() == {"Z": 0.5, "X": 2.0}


def test_the_target_keeps_the_calibration():
    target = FakeLagosV2().target
    reduced = restrict_target(target, (5, 3, 1))
    assert reduced.num_qubits == 3
    assert reduced.qubit_properties[0].t1 == target.qubit_properties[5].t1
    assert reduced["cx"][(0, 1)].error == target["cx"][(5, 3)].error
    assert reduced["measure"][(2,)].error == target["measure"][(1,)].error
    assert (0, 2) not in reduced["cx"]
    assert np.isclose(reduced.dt, target.dt)


def test_a_reduced_device_only_describes():
    backend = ReducedBackend(FakeLagosV2(), (0, 1))
    assert backend.num_qubits == 2
    with pytest.raises(BackendError, match="only describes"):
        backend.run(QuantumCircuit(2))
