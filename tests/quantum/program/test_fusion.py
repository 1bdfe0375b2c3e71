"""Gates that are merged, moved past each other or applied as tables, against the slow twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from tests.quantum.problems import X, check_jacobian, check_values, gate_applications, pauli_sums

# gates that an engine may merge, move past each other or apply as index tables and phases
MERGING = ["h", "tdg", "sx", "rx", "ry", "rz", "cx", "cx_o0", "cz", "swap", "iswap", "ccx", "ccz"]
MERGING += ["cswap", "rzz", "rxx", "dcx", "id", "y"]


@st.composite
def merging_problems(draw, num_qubits, max_gates):
    circuit = QuantumCircuit(num_qubits)
    for gate, qubits in draw(
        st.lists(gate_applications(num_qubits, MERGING), min_size=10, max_size=max_gates)
    ):
        circuit.append(gate, qubits)
    observables = [draw(pauli_sums(num_qubits)) for _ in range(2)]
    rows = np.random.default_rng(draw(st.integers(0, 2**16))).uniform(-1.5, 1.5, (3, 4))
    rows[:, len(X) :] = rows[0, len(X) :]
    return circuit, observables, rows


def check_merging(problem, twin, engine, twin_jacobian):
    check_values(problem, twin, engine)
    check_jacobian(problem, twin_jacobian)


@pytest.mark.parametrize("num_qubits", [3, 4])
@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_merged_gates_equal_the_slow_twin(data, num_qubits, twin, engine, twin_jacobian):
    problem = data.draw(merging_problems(num_qubits, max_gates=24))
    check_merging(problem, twin, engine, twin_jacobian)


@pytest.mark.slow
@pytest.mark.parametrize("num_qubits", [3, 4, 5])
@settings(max_examples=120, deadline=None, derandomize=True)
@given(data=st.data())
def test_merged_gates_equal_the_slow_twin_on_many_circuits(
    data, num_qubits, twin, engine, twin_jacobian
):
    problem = data.draw(merging_problems(num_qubits, max_gates=40))
    check_merging(problem, twin, engine, twin_jacobian)
