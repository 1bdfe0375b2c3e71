"""An evolution whose terms commute is one rotation per string, and equals the exponential."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator, SparseObservable, SparsePauliOp, Statevector
from qiskit.synthesis import LieTrotter, QDrift, SuzukiTrotter
from scipy.linalg import expm

from qvlm_qiskit.quantum import states
from qvlm_qiskit.quantum.program.evolutions import commuting_rotations
from qvlm_qiskit.quantum.program.operations import PauliRotation
from qvlm_qiskit.quantum.program.program import compile_circuit

A, B = Parameter("a"), Parameter("b")
BELL = ["XXI", "ZZI", "YYI", "IIZ"]


def evolved(gate, qubits=(2, 0, 1)):
    made = QuantumCircuit(3)
    for qubit in range(3):
        made.ry(0.3 + qubit, qubit)
    made.append(gate, qubits[: gate.num_qubits])
    return made


PAULIS = [SparsePauliOp(p) for p in ("XIZ", "YZI", "ZXY", "IYX")]


@pytest.mark.parametrize("seed", range(4))
def test_commuting_terms_are_the_exponential(seed, engine):
    rng = np.random.default_rng(seed)
    operator = SparsePauliOp(BELL, rng.normal(size=4))
    circuit = evolved(PauliEvolutionGate(operator, A * 2 + B))
    program = compile_circuit(circuit, [A, B])
    assert sum(isinstance(one, PauliRotation) for one in program.operations) == 3 + 4
    values = rng.uniform(-3, 3, 2)
    exponential = expm(-1j * (2 * values[0] + values[1]) * operator.to_matrix())
    reference = evolved(Operator(exponential).to_instruction())
    state = Statevector(reference)
    expected = [state.expectation_value(p).real for p in PAULIS]
    found = engine(circuit, PAULIS, values[None], [A, B], 1)
    np.testing.assert_allclose(found[0], expected, atol=1e-10)


def test_a_list_of_commuting_operators_is_their_sum(twin, engine):
    gate = PauliEvolutionGate([SparsePauliOp(["XX", "ZZ"], [0.5, -2]), SparsePauliOp("YY")], A)
    assert [letters for letters, _, _ in commuting_rotations(gate)] == ["XX", "ZZ", "YY"]
    circuit, row = evolved(gate), np.array([[0.7]])
    expected = twin(circuit.decompose("PauliEvolution"), PAULIS, row, [A])
    np.testing.assert_allclose(engine(circuit, PAULIS, row, [A], 1), expected, atol=1e-10)


@pytest.mark.parametrize("synthesis", [LieTrotter(reps=2), SuzukiTrotter(order=2)])
def test_of_operators_that_do_not_commute_the_synthesis_decides(synthesis, twin, engine):
    gate = PauliEvolutionGate([SparsePauliOp("X"), SparsePauliOp("Z")], A, synthesis=synthesis)
    assert commuting_rotations(gate) is None
    circuit, row = evolved(gate), np.array([[0.7]])
    expected = twin(circuit.decompose("PauliEvolution"), PAULIS, row, [A])
    np.testing.assert_allclose(engine(circuit, PAULIS, row, [A], 1), expected, atol=1e-10)


def test_projectors_are_sums_of_strings(engine):
    gate = PauliEvolutionGate(SparseObservable("0+"), A)
    assert {letters for letters, _, _ in commuting_rotations(gate)} == {"", "X", "Z", "XZ"}


@pytest.mark.parametrize(
    "gate",
    [
        PauliEvolutionGate(SparsePauliOp(["XI", "ZI"]), A, synthesis=LieTrotter(reps=2)),
        PauliEvolutionGate(SparsePauliOp(["XX", "ZZ"]), 0.3, synthesis=QDrift(seed=1)),
    ],
    ids=["terms that don't commute", "drawn at random"],
)
def test_other_evolutions_are_their_definition(gate):
    assert commuting_rotations(gate) is None


def test_one_string_is_one_operation_instead_of_a_ladder():
    circuit = QuantumCircuit(6)
    circuit.append(PauliEvolutionGate(SparsePauliOp("XYZXYZ"), A), range(6))
    assert len(compile_circuit(circuit).operations) == 1


def test_states_keep_the_phase_of_identity_terms():
    operator = SparsePauliOp(["II", "XX", "ZZ"], [0.7, 0.4, -1.1])
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.append(PauliEvolutionGate(operator, A), [0, 1])
    expected = expm(-0.3j * operator.to_matrix()) @ np.array([1, 1, 0, 0]) / 2**0.5
    np.testing.assert_allclose(states(circuit, [[0.3]])[0], expected, atol=1e-6)
