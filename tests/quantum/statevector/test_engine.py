from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from qiskit import QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit import library as lib
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import (
    Operator,
    Pauli,
    SparsePauliOp,
    Statevector,
    random_clifford,
    random_unitary,
)

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import AmplitudeEncoding, TorchEstimator
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector import engine as statevector
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.problems import (
    ANGLES,
    GATES,
    PARAMETERS,
    W,
    X,
    check_jacobian,
    check_values,
    problems,
)

EXECUTORS = {"sweeps": statevector.MAX_SWEEP_QUBITS, "torch": -1}


def running_on(executor):
    """Circuits of at most so many qubits go to the compiled sweeps, the others to torch."""
    return mock.patch.object(statevector, "MAX_SWEEP_QUBITS", EXECUTORS[executor])


def check_single_precision(problem, twin):
    circuit, observables, rows = problem
    expected = twin(circuit, observables, rows, PARAMETERS)
    engine = StatevectorEngine(compile_circuit(circuit, PARAMETERS), observables, len(X))
    single = torch.as_tensor(rows, dtype=torch.float32)
    values = engine.expectations(single[:, : len(X)], single[0, len(X) :])
    assert values.dtype == torch.float32
    np.testing.assert_allclose(values.numpy(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("executor", EXECUTORS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(problem=problems())
def test_values_equal_the_slow_twin(problem, twin, engine, executor):
    with running_on(executor):
        check_values(problem, twin, engine)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.slow
@settings(max_examples=250, deadline=None, derandomize=True)
@given(problem=problems(max_qubits=5, max_gates=20, batches=(1, 5, 40)))
def test_values_equal_the_slow_twin_on_many_circuits(problem, twin, engine, executor):
    with running_on(executor):
        check_values(problem, twin, engine)


@pytest.mark.parametrize("executor", EXECUTORS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(problem=problems(batches=(3,)))
def test_single_precision_stays_within_1e_5(problem, twin, executor):
    with running_on(executor):
        check_single_precision(problem, twin)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.slow
@settings(max_examples=250, deadline=None, derandomize=True)
@given(problem=problems(batches=(3, 18)))
def test_single_precision_stays_within_1e_5_on_many_circuits(problem, twin, executor):
    with running_on(executor):
        check_single_precision(problem, twin)


@pytest.mark.parametrize("executor", EXECUTORS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(problem=problems(max_qubits=3, max_gates=8, batches=(1,)))
def test_jacobians_equal_central_differences_of_the_twin(problem, twin_jacobian, executor):
    with running_on(executor):
        check_jacobian(problem, twin_jacobian)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.slow
@settings(max_examples=250, deadline=None, derandomize=True)
@given(problem=problems(max_qubits=4, max_gates=14, batches=(1,)))
def test_jacobians_equal_central_differences_on_many_circuits(problem, twin_jacobian, executor):
    with running_on(executor):
        check_jacobian(problem, twin_jacobian)


def dressed(num_qubits, gate, qubits):
    """The gate between fixed rotations that leave no symmetry to hide a mistake in."""
    circuit = QuantumCircuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(0.4 + 0.3 * qubit, qubit)
        circuit.rz(1.1 - 0.5 * qubit, qubit)
    circuit.append(gate, qubits)
    for qubit in range(num_qubits):
        circuit.rx(0.9 + 0.7 * qubit, qubit)
    return circuit


def all_paulis(num_qubits):
    rng = np.random.default_rng(num_qubits)
    labels = {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(12)}
    return [SparsePauliOp(label) for label in sorted(labels)]


@pytest.mark.parametrize("name", GATES)
def test_every_standard_gate_equals_the_twin(name, twin, engine):
    width, num_angles, gate = GATES[name]
    expressions = ["x0", "w0", "product", "sum"][:num_angles]
    applied = gate(*(ANGLES[e](0.2) for e in expressions))
    circuit = dressed(4, applied, [2, 0, 3][:width])
    rows = np.random.default_rng(7).uniform(-3, 3, (3, 4))
    rows[:, 2:] = rows[0, 2:]
    expected = twin(circuit, all_paulis(4), rows, PARAMETERS)
    for executor in EXECUTORS:
        with running_on(executor):
            values = engine(circuit, all_paulis(4), rows, PARAMETERS, len(X))
        np.testing.assert_allclose(values, expected, atol=1e-10, rtol=0, err_msg=executor)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", [n for n in GATES if GATES[n][1]])
def test_every_parametrised_gate_has_the_twins_jacobian(name, executor, twin_jacobian):
    width, num_angles, gate = GATES[name]
    applied = gate(*(ANGLES[e](0.2) for e in ["x0", "w0", "product", "sum"][:num_angles]))
    circuit = dressed(3, applied, [2, 0, 1][:width])
    with running_on(executor):
        check_jacobian((circuit, all_paulis(3), np.array([[0.7, -1.2, 0.4, 1.9]])), twin_jacobian)


FIXED = {
    "operator": (2, Operator(lib.SwapGate())),
    "pauli": (3, lib.PauliGate("XYZ")),
    "pauli on 8 qubits": (8, lib.PauliGate("XYZXYZXY")),
    "clifford": (3, random_clifford(3, seed=1)),
    "clifford on 7 qubits": (7, random_clifford(7, seed=1)),
    "diagonal": (2, lib.DiagonalGate([1, -1, 1j, 1])),
    "uniformly controlled": (3, lib.UCRYGate([0.1, 0.2, 0.3, 0.4])),
    "qft": (3, lib.QFTGate(3)),
    "permutation": (3, lib.PermutationGate([2, 0, 1])),
    "unitary on 2 qubits": (2, lib.UnitaryGate(random_unitary(4, seed=2))),
    "unitary on 3 qubits": (3, lib.UnitaryGate(random_unitary(8, seed=3))),
    "mcx with 7 controls": (8, lib.MCXGate(7)),
    "mcx on zeros": (4, lib.MCXGate(3, ctrl_state=0)),
    "annotated": (2, lib.RXGate(0.3).control(1, annotated=True)),
    "power": (1, lib.RXGate(0.3).power(0.5)),
    "state preparation": (2, lib.StatePreparation([0.5, 0.5, -0.5, 0.5j])),
    "global phase": (0, lib.GlobalPhaseGate(0.3)),
    "amplitude encoding of numbers": (2, AmplitudeEncoding([0.3, 1.2, -0.4])),
}


@pytest.mark.parametrize("name", FIXED)
def test_gates_without_parameters_equal_the_twin(name, twin, engine):
    width, gate = FIXED[name]
    n = max(width, 3)
    qubits = list(np.random.default_rng(1).permutation(n)[:width])
    circuit = dressed(n, gate, [int(q) for q in qubits])
    expected = twin(circuit, all_paulis(n), np.zeros((1, 0)))
    values = engine(circuit, all_paulis(n), np.zeros((1, 0)))
    np.testing.assert_allclose(values, expected, atol=1e-10, rtol=0)


@pytest.mark.slow
def test_a_unitary_too_wide_for_a_matrix_is_synthesised(twin, engine):
    circuit = dressed(7, lib.UnitaryGate(random_unitary(128, seed=4)), [3, 0, 6, 1, 5, 2, 4])
    values = engine(circuit, all_paulis(7), np.zeros((1, 0)))
    np.testing.assert_allclose(values, twin(circuit, all_paulis(7), np.zeros((1, 0))), atol=1e-10)


def subcircuit():
    inner = QuantumCircuit(2, global_phase=X[0])
    inner.ry(W[0], 1)
    inner.cx(1, 0)
    return inner


COMPOSITE = {
    "gate": (2, subcircuit().to_gate()),
    "instruction": (2, subcircuit().to_instruction()),
    "controlled gate with a phase": (3, subcircuit().to_gate().control(1, annotated=False)),
    "inverse": (2, subcircuit().to_gate().inverse()),
    "repeated": (2, subcircuit().to_gate().repeat(2)),
    "annotated": (2, lib.RXGate(W[0]).control(1, annotated=True)),
    "global phase": (0, lib.GlobalPhaseGate(X[0])),
    "amplitude encoding, controlled": (
        3,
        AmplitudeEncoding([X[0], 0.4, W[0]]).control(1, annotated=False),
    ),
    "amplitude encoding, inverse": (2, AmplitudeEncoding([X[0], 0.4, W[0]]).inverse()),
    "pauli evolution": (2, lib.PauliEvolutionGate(SparsePauliOp(["XX", "ZZ"]), X[0])),
}


@pytest.mark.parametrize("name", COMPOSITE)
def test_composite_gates_equal_the_twin(name, twin, engine):
    width, gate = COMPOSITE[name]
    circuit = dressed(3, gate, [2, 0, 1][:width])
    rows = np.random.default_rng(3).uniform(-3, 3, (2, 4))
    rows[:, 2:] = rows[0, 2:]
    # the exponential of commuting terms is its synthesis; decomposing keeps scipy out of it
    reference = circuit.decompose("PauliEvolution")
    expected = twin(reference, all_paulis(3), rows, PARAMETERS)
    values = engine(circuit, all_paulis(3), rows, PARAMETERS, len(X))
    np.testing.assert_allclose(values, expected, atol=1e-10, rtol=0)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_a_fixed_evolution_means_the_same_inside_and_outside_of_a_gate(engine):
    evolution = lib.PauliEvolutionGate(SparsePauliOp(["X", "Z"]), 0.9)
    flat, nested, inner = QuantumCircuit(1), QuantumCircuit(1), QuantumCircuit(1)
    flat.append(evolution, [0])
    inner.append(evolution, [0])
    nested.append(inner.to_gate(), [0])
    paulis = [SparsePauliOp(p) for p in "XYZ"]
    np.testing.assert_allclose(
        engine(nested, paulis, np.zeros((1, 0))),
        engine(flat, paulis, np.zeros((1, 0))),
        atol=1e-10,
    )


A = Parameter("a")
B = Parameter("b")
EXPRESSIONS = {
    "2ab": 2 * A * B,
    "(π-a)(π-b)": (np.pi - A) * (np.pi - B),
    "sin(a)+b": A.sin() + B,
    "cos(a)·b": A.cos() * B,
    "tan": A.tan(),
    "arcsin": (A / 3).arcsin(),
    "arccos": (A / 3).arccos(),
    "arctan": A.arctan() + B,
    "exp": (A * 0.3).exp(),
    "log": (A + 2).log(),
    "abs": abs(A - B),
    "square": A**2,
    "power of a parameter": A**B,
    "quotient": A / B,
    "reciprocal": 1 / A,
    "cancelled": (A * B) / B,
    "conjugate": A.conjugate() * B,
    "difference with itself": A - A + B,
    "functions that cancel": A.sin() * 2 - A.sin() - A.sin() + 0.4,
    "quotient of itself": A + B / B,
    "constant expression": (A - A) + 0.7,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("num_batched", [0, 1, 2])
def test_expressions_of_parameters_equal_the_twin(name, num_batched, twin, engine):
    circuit = QuantumCircuit(1)
    circuit.ry(0.3, 0)
    circuit.rx(EXPRESSIONS[name], 0)
    observables = [SparsePauliOp("Z"), SparsePauliOp("Y")]
    rows = np.array([[0.7, 1.3], [0.7, 1.3]])
    if num_batched:
        rows[1, 0] = 1.1
    expected = twin(circuit, observables, rows, [A, B])
    values = engine(circuit, observables, rows, [A, B], num_batched)
    if num_batched == 0:
        rows, expected, values = rows[:1], expected[:1], values[:1]
    np.testing.assert_allclose(values, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_of_parameters_have_the_twins_derivative(name, twin_jacobian):
    circuit = QuantumCircuit(1)
    circuit.ry(0.3, 0)
    circuit.rx(EXPRESSIONS[name], 0)
    observables = [SparsePauliOp("Z"), SparsePauliOp("Y")]
    engine = StatevectorEngine(compile_circuit(circuit, [A, B]), observables, 1)
    row = torch.tensor([0.7, 1.3], dtype=torch.float64)
    blocks = torch.autograd.functional.jacobian(
        lambda a, b: engine.expectations(a[None], b)[0], (row[:1], row[1:])
    )
    expected = twin_jacobian(circuit, observables, row.numpy(), [A, B])
    np.testing.assert_allclose(torch.cat(blocks, -1).numpy(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "names", [("p1", "p0"), ("sin", "S"), ("λ[0]", "my weight, 1"), ("pi", "E")]
)
def test_parameter_names_do_not_matter(names, twin, engine):
    a, b = (Parameter(name) for name in names)
    circuit = QuantumCircuit(1)
    circuit.ry(a * a + 3 * b.sin() * a, 0)
    observables = [SparsePauliOp("Z"), SparsePauliOp("X")]
    rows = np.array([[0.4, -0.9], [1.4, 0.3]])
    np.testing.assert_allclose(
        engine(circuit, observables, rows, [a, b]),
        twin(circuit, observables, rows, [a, b]),
        atol=1e-10,
    )


def test_jacobian_equals_the_parameter_shift_rule_exactly(twin):
    n = 4
    theta = ParameterVector("t", 3 * n)
    circuit = QuantumCircuit(n)
    for qubit in range(n):
        circuit.ry(theta[3 * qubit], qubit)
        circuit.rz(theta[3 * qubit + 1], qubit)
        circuit.cx(qubit, (qubit + 1) % n)
        circuit.rxx(theta[3 * qubit + 2], qubit, (qubit + 2) % n)
    observables = all_paulis(n)
    point = np.random.default_rng(5).uniform(-3, 3, 3 * n)
    shifted = np.concatenate([point + np.eye(3 * n) * np.pi / 2, point - np.eye(3 * n) * np.pi / 2])
    values = twin(circuit, observables, shifted)
    expected = (values[: 3 * n] - values[3 * n :]).T / 2
    engine = StatevectorEngine(compile_circuit(circuit), observables, n)
    row = torch.as_tensor(point)
    blocks = torch.autograd.functional.jacobian(
        lambda x, w: engine.expectations(x[None], w)[0], (row[:n], row[n:])
    )
    np.testing.assert_allclose(torch.cat(blocks, -1).numpy(), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_first_and_second_derivatives_pass_torchs_own_check(executor):
    circuit = QuantumCircuit(2)
    circuit.ry(X[0], 0)
    circuit.crx(X[1] * W[0], 0, 1)
    circuit.rz(W[1], 1)
    circuit.h(1)
    engine = StatevectorEngine(
        compile_circuit(circuit, PARAMETERS), [SparsePauliOp(["XY", "ZI"], [1, 0.5])], 2
    )
    inputs = torch.tensor([[0.3, 0.8], [-1.0, 0.2]], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([0.4, -0.6], dtype=torch.float64, requires_grad=True)
    with running_on(executor):
        assert torch.autograd.gradcheck(engine.expectations, (inputs, weights))
        assert torch.autograd.gradgradcheck(engine.expectations, (inputs, weights))


def test_states_are_qiskits_up_to_a_global_phase():
    circuit = dressed(3, lib.CRYGate(X[0]), [2, 0])
    engine = StatevectorEngine(compile_circuit(circuit), [], 1)
    state = engine.states(
        torch.tensor([[0.7]], dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    )[0]
    expected = Statevector(circuit.assign_parameters([0.7])).data
    assert abs(np.vdot(state.numpy(), expected)) == pytest.approx(1, abs=1e-12)
    ratio = state.numpy() / expected
    np.testing.assert_allclose(ratio, ratio[0], atol=1e-10)


def test_idle_qubits_stay_in_zero(twin, engine):
    circuit = QuantumCircuit(5)
    circuit.ry(X[0], 3)
    circuit.barrier()
    circuit.id(0)
    circuit.crx(W[0], 3, 1)
    circuit.delay(100, 4)
    labels = ["ZIIIZ", "IXIYI", "ZXIYI", "IIIIX", "IYZYI", "YIIII", "IIIII", "IZIIX"]
    observables = [SparsePauliOp(label) for label in labels]
    observables.append(SparsePauliOp(labels, np.arange(1, 9) / 8))
    rows = np.array([[0.4, 0, 1.2, 0], [2.0, 0, 1.2, 0]])
    assert compile_circuit(circuit, PARAMETERS).active == (1, 3)
    np.testing.assert_allclose(
        engine(circuit, observables, rows, PARAMETERS, 2),
        twin(circuit, observables, rows, PARAMETERS),
        atol=1e-10,
    )


def test_a_circuit_without_any_gate_is_the_zero_state(engine):
    observables = [SparsePauliOp("ZZ"), SparsePauliOp("XI"), SparsePauliOp("II", 0.5)]
    np.testing.assert_allclose(
        engine(QuantumCircuit(2), observables, np.zeros((3, 0))), [[1, 0, 0.5]] * 3
    )


def test_several_registers_are_one_line_of_qubits(twin, engine):
    circuit = QuantumCircuit(QuantumRegister(2, "a"), QuantumRegister(2, "b"))
    circuit.ry(X[0], 3)
    circuit.cx(3, 0)
    circuit.rx(W[0], 1)
    rows = np.array([[0.4, 0, 1.2, 0]])
    np.testing.assert_allclose(
        engine(circuit, all_paulis(4), rows, PARAMETERS, 2),
        twin(circuit, all_paulis(4), rows, PARAMETERS),
        atol=1e-10,
    )


def transpiled_problem(level, seed, width=5):
    """A circuit, the same circuit on a device whose coupling needs routing, and observables."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(4)
    for _ in range(6):
        one, two = (int(q) for q in rng.permutation(4)[:2])
        circuit.ry(PARAMETERS[rng.integers(4)] * 2 + 0.1, one)
        circuit.crx(X[0] * W[1], one, two)
        circuit.rzz(PARAMETERS[rng.integers(4)], two, one)
    backend = GenericBackendV2(
        width, coupling_map=[[i, i + 1] for i in range(width - 1)], seed=seed
    )
    isa = transpile(circuit, backend, optimization_level=level, seed_transpiler=seed)
    return circuit, isa


def check_transpiled(level, seed, width, twin, engine):
    circuit, isa = transpiled_problem(level, seed, width)
    observables = [*all_paulis(4), SparsePauliOp(["XYZI", "IIZZ"], [0.5, -0.7])]
    mapped = [o.apply_layout(isa.layout) for o in observables]
    rows = np.random.default_rng(seed).uniform(-3, 3, (2, 4))
    rows[:, 2:] = rows[0, 2:]
    values = engine(isa, mapped, rows, PARAMETERS, 2)
    np.testing.assert_allclose(
        values, twin(circuit, observables, rows, PARAMETERS), atol=1e-10, rtol=0
    )


@pytest.mark.parametrize(("level", "seed"), [(0, 1), (1, 2), (2, 3), (3, 4)])
def test_transpiled_circuits_keep_their_values_under_the_layout(level, seed, twin, engine):
    check_transpiled(level, seed, 6, twin, engine)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_transpiled_circuits_keep_their_values_on_many_layouts(level, seed, twin, engine):
    check_transpiled(level, 100 + seed, 5 + seed % 3, twin, engine)


@pytest.mark.parametrize("label", ["Z", "ZZZ", "XII"])
def test_an_observable_of_another_width_is_refused(label):
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.ry(A, 1)
    with pytest.raises(ValueError, match="qubit"):
        StatevectorEngine(compile_circuit(circuit), [SparsePauliOp(label)], 1)


def test_a_non_hermitian_observable_is_refused():
    circuit = QuantumCircuit(1)
    circuit.rx(A, 0)
    with pytest.raises(CircuitError, match="not Hermitian"):
        StatevectorEngine(compile_circuit(circuit), [SparsePauliOp("Z", 1j)], 1)


def test_training_works_after_a_first_evaluation_in_inference_mode():
    circuit = dressed(2, lib.RXXGate(W[0]), [0, 1])
    circuit.rz(X[0], 0)
    circuit.h(0)
    inputs, weights = torch.tensor([[0.3]]), torch.tensor([0.7], requires_grad=True)
    engine = StatevectorEngine(compile_circuit(circuit, [X[0], W[0]]), all_paulis(2), 1)
    with torch.inference_mode():
        engine.expectations(inputs, weights)
    engine.expectations(inputs, weights).sum().backward()
    assert torch.isfinite(weights.grad).all()


def test_an_engine_serves_both_precisions_in_turn(twin):
    circuit = dressed(2, lib.RXXGate(A), [0, 1])
    engine = StatevectorEngine(compile_circuit(circuit), all_paulis(2), 1)
    expected = twin(circuit, all_paulis(2), [[0.5]])
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10), (torch.float32, 1e-5)):
        values = engine.expectations(
            torch.tensor([[0.5]], dtype=dtype), torch.zeros(0, dtype=dtype)
        )
        assert values.dtype == dtype
        np.testing.assert_allclose(values.numpy(), expected, atol=tolerance)


def test_repeated_paulis_and_other_operator_types_are_summed(twin):
    circuit = dressed(2, lib.CXGate(), [0, 1])
    observables = [SparsePauliOp(["XX", "XX", "ZI"], [0.5, 0.25, 1]), SparsePauliOp(Pauli("-YZ"))]
    values = TorchEstimator(dtype="complex128").values(circuit, observables, np.zeros((1, 0)))
    np.testing.assert_allclose(values, twin(circuit, observables, np.zeros((1, 0))), atol=1e-10)
