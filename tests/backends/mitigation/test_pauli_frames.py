"""Paulis moved through circuits."""

import itertools

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from qvlm_qiskit.backends.mitigation.pauli_frames import (
    AXES,
    CLIFFORDS,
    FrameWalk,
    anticommutes,
    check_frames,
    pauli_bits,
)  # fmt: skip
from qvlm_qiskit.errors import MitigationError
from tests.backends.mitigation.circuits import as_pauli


@pytest.mark.parametrize("name", [*CLIFFORDS, *AXES])
def test_a_pauli_before_a_gate_is_another_one_behind_it(name):
    gate = get_standard_gate_name_mapping()[name]
    angle = 0.7
    if name in AXES:
        gate = type(gate)(angle)
    width = gate.num_qubits
    for bits in pauli_bits(width):
        walk = FrameWalk(QuantumCircuit(width), 1)
        walk.insert(list(range(2 * width)), bits[None])
        flips = walk.through(name, list(range(2 * width)))
        moved = gate if flips is None or not flips[0] else type(gate)(-angle)
        before = Operator(as_pauli(bits)).compose(Operator(gate))
        behind = Operator(moved).compose(Operator(as_pauli(walk.frames[0])))
        assert before.equiv(behind)


def test_anticommutation_is_that_of_the_matrices():
    for a, b in itertools.product(pauli_bits(2), repeat=2):
        expected = as_pauli(a).anticommutes(as_pauli(b))
        assert anticommutes(a[None], b)[0] == expected


def test_gates_that_no_pauli_passes_are_refused():
    circuit = QuantumCircuit(1)
    circuit.t(0)
    with pytest.raises(MitigationError, match="'t'"):
        check_frames(circuit, "pec")
