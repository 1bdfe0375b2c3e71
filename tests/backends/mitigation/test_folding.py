"""Folded circuits: the same unitary with more gates."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import RZZGate
from qiskit.quantum_info import Operator

from qvlm_qiskit.backends.mitigation.folding import fold_two_qubit_gates
from qvlm_qiskit.errors import MitigationError


@pytest.mark.parametrize("factor", [1, 3, 5])
def test_folding_keeps_the_unitary_and_multiplies_the_gates(factor):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.ecr(1, 2)
    circuit.cz(2, 0)
    circuit.swap(0, 1)
    folded = fold_two_qubit_gates(circuit, factor)
    assert Operator(folded).equiv(Operator(circuit))
    assert folded.num_nonlocal_gates() == factor * circuit.num_nonlocal_gates()
    assert folded.count_ops()["h"] == 1
    assert folded.count_ops()["barrier"] == 1


def test_gates_that_are_not_their_own_inverse_are_refused():
    circuit = QuantumCircuit(2)
    circuit.append(RZZGate(0.3), [0, 1])
    with pytest.raises(MitigationError, match="'rzz'"):
        fold_two_qubit_gates(circuit, 3)
