"""How hard a circuit is to simulate, against dense matrices."""

import sys

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import Operator, SparsePauliOp

from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import MissingDependencyError
from qvlm_qiskit.studies.blocks.simulation import ERROR, hardness, kept_terms, largest_cone

pytest.importorskip("pauli_prop")


def ladder(n, angles):
    """Rotations and a chain of CX, as often as there are angles for."""
    circuit = QuantumCircuit(n)
    for layer in np.reshape(angles, (-1, n)):
        for qubit, angle in enumerate(layer):
            circuit.ry(angle, qubit)
            circuit.rz(angle / 2, qubit)
        for qubit in range(n - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def behind(circuit, observable):
    """All Pauli coefficients of U†OU, by matrices."""
    unitary = Operator(circuit).data
    matrix = unitary.conj().T @ observable.to_matrix() @ unitary
    found = SparsePauliOp.from_operator(Operator(matrix))
    return np.sort(np.abs(found.coeffs))[::-1]


@pytest.mark.parametrize("seed", range(3))
def test_terms_are_as_many_as_matrices_say(seed):
    angles = np.random.default_rng(seed).uniform(-3, 3, 6)
    circuit, observable = ladder(3, angles), SparsePauliOp("ZZI")
    exact = behind(circuit, observable)
    found = kept_terms(circuit, observable)
    assert found <= (exact > 1e-9).sum()
    # what is left out is no more than the bound that stops the search
    assert exact[found:].sum() <= len(exact) * ERROR


def test_clifford_gates_keep_one_term_and_a_rotation_makes_two_of_it():
    assert kept_terms(ladder(4, np.zeros(8)), SparsePauliOp("ZIII")) == 1
    turned = QuantumCircuit(1)
    turned.ry(0.3, 0)
    assert kept_terms(turned, SparsePauliOp("Z")) == 2
    assert kept_terms(turned, SparsePauliOp("Y")) == 1


def test_a_package_that_fails_to_load_is_not_called_uninstalled(monkeypatch):
    class Broken:
        def find_spec(self, name, *_):
            if name == "pauli_prop":
                raise ModuleNotFoundError("No module named 'x'", name=missing)

    for loaded in [one for one in sys.modules if one.partition(".")[0] == "pauli_prop"]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    circuit, observable = ladder(2, np.ones(2)), SparsePauliOp("ZI")
    missing = "pauli_prop"
    with pytest.raises(MissingDependencyError, match="propagation"):
        kept_terms(circuit, observable)
    missing = "a_part_of_it"
    with pytest.raises(ModuleNotFoundError, match="No module named 'x'"):
        kept_terms(circuit, observable)


def test_a_cone_is_what_a_string_sees():
    chain = ladder(5, np.ones(5))
    ones = [SparsePauliOp.from_sparse_list([("Z", [qubit], 1)], 5) for qubit in range(5)]
    assert [largest_cone(chain, one) for one in ones] == [2, 3, 4, 5, 5]
    apart = QuantumCircuit(4)
    apart.cx(0, 1)
    apart.cx(2, 3)
    both = SparsePauliOp(["IIIZ", "ZIII"])
    assert largest_cone(apart, both) == 2
    assert largest_cone(apart, SparsePauliOp("ZZZZ")) == 4
    assert largest_cone(apart, SparsePauliOp("IIII")) == 0


def test_the_widest_cone_of_all_circuits_is_told_with_what_is_easier():
    narrow, wide = ladder(2, np.ones(2)), ladder(4, np.linspace(0.3, 2, 16))
    apart = QuantumCircuit(4)
    apart.ry(0.3, range(4))
    calls = [
        Call((EstimatorPub.coerce((one, [SparsePauliOp("Z" + "I" * (one.num_qubits - 1))])),), "x")
        for one in (narrow, wide)
    ]
    found = hardness(calls)
    assert (found["qubits"], found["cone"], found["counted"]) == (4, 4, True)
    assert (found["numbers"], found["easy"]) == (16, "state") and found["terms"] > 16
    (only,) = [Call((EstimatorPub.coerce((apart, [SparsePauliOp("ZIII")])),), "x")]
    assert hardness([only]) == {
        "qubits": 4, "cone": 1, "terms": 2, "counted": True, "numbers": 2, "easy": "cones",
    }  # fmt: skip


def test_what_is_measured_in_the_middle_is_deferred():
    circuit = QuantumCircuit(2, 1)
    circuit.ry(0.4, [0, 1])
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(0.7, 1)
    call = Call((EstimatorPub.coerce((circuit, [SparsePauliOp("ZI")])),), "x")
    found = hardness([call])
    assert found["cone"] == 2 and found["qubits"] >= 2
    assert found["terms"] <= 4 ** found["qubits"]
