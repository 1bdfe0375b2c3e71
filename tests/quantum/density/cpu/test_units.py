import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit.noise_models import parse_parametric
from qvlm_qiskit.quantum.density.cpu.units import NO_CHAIN, Unit, plan_units
from qvlm_qiskit.quantum.density.noisy_program import compile_noisy
from tests.quantum.density.layered import TOGETHER, layered

BASIS = ("rx", "ry", "rz", "cx", "rzz")


def planned(circuit, noise="depolarizing(0.01)"):
    program = compile_noisy(circuit, parse_parametric(noise, BASIS).channels())
    return plan_units(program, read=range(circuit.num_qubits))


def units_of(plan):
    return [each for each in plan.passes if isinstance(each, Unit)]


def test_a_gate_and_its_noise_are_one_unit_with_the_chains_before_it():
    circuit = QuantumCircuit(3)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    circuit.cx(1, 0)
    circuit.cx(2, 1)
    plan = planned(circuit)
    assert [(unit.low, unit.high) for unit in units_of(plan)] == [(0, 1), (1, 2)]
    assert [unit.chains for unit in units_of(plan)] == [(0, NO_CHAIN), (NO_CHAIN, NO_CHAIN)]
    # a Clifford gate permutes Pauli strings, depolarizing noise scales them
    assert all((np.count_nonzero(unit.matrix, axis=1) == 1).all() for unit in units_of(plan))


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_what_no_gate_follows_comes_last(num_qubits):
    circuit = QuantumCircuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(Parameter(f"a{qubit}"), qubit)
    plan = planned(circuit)
    assert max(plan.widths()) == max(2, num_qubits)
    assert plan.order == tuple(range(num_qubits))
    assert sorted(c for unit in units_of(plan) for c in unit.chains if c >= 0) == [
        *range(num_qubits)
    ]


def test_two_qubit_rotations_are_not_planned():
    circuit, _ = layered(3, seed=1, rotations=True)
    circuit = circuit.decompose("cx")
    assert planned(layered(3, seed=1)[0], TOGETHER) is not None
    circuit = QuantumCircuit(2)
    circuit.rzz(Parameter("a"), 0, 1)
    assert planned(circuit) is None
