"""Circuits that measure, decide and reset in their middle, against every outcome by itself."""

import numpy as np
import pytest
import torch
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.classical import expr
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2 as AerEstimator

from qvlm_qiskit import QuantumLayer, TorchEstimator
from qvlm_qiskit.basics.deferral import is_dynamic
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import (
    BatchedEstimatorGradient,
    HamiltonianEvolution,
    make_qnn,
    states,
)
from qvlm_qiskit.quantum.program.circuit_key import circuit_key
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.program.dynamic import branch_values, random_circuit

OBSERVABLES = [SparsePauliOp(s) for s in ("ZII", "IZI", "IIZ", "XXX", "YIX", "ZZZ", "IXZ")]
FEW = [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 100))]


def bound(circuit, names, values):
    return circuit.assign_parameters(dict(zip(names, values, strict=True)))


def twin(circuit, names, rows, observables=OBSERVABLES):
    return np.array([branch_values(bound(circuit, names, row), observables) for row in rows])


@pytest.mark.parametrize("seed", FEW)
def test_random_circuits_have_the_values_of_all_outcomes_together(seed, engine):
    rng = np.random.default_rng(seed)
    circuit, names = random_circuit(rng)
    rows = rng.normal(size=(2, 3))
    expected = twin(circuit, names, rows)
    np.testing.assert_allclose(engine(circuit, OBSERVABLES, rows, names), expected, atol=1e-11)
    found = TorchEstimator(dtype="complex128").run([(circuit, [[o] for o in OBSERVABLES], rows)])
    order = [names.index(p) for p in circuit.parameters]
    assert order == [0, 1, 2]
    np.testing.assert_allclose(found.result()[0].data.evs.T, expected, atol=1e-11)


@pytest.mark.parametrize("seed", [*FEW[:2], *FEW[12:]])
def test_random_circuits_have_the_values_of_aers_dynamic_circuits(seed, engine):
    rng = np.random.default_rng(1000 + seed)
    circuit, names = random_circuit(rng)
    row, shots = rng.normal(size=3), 3000
    dynamic = bound(circuit, names, row)
    for number, observable in enumerate(OBSERVABLES):
        dynamic.save_expectation_value(observable, range(3), str(number))
    simulator = AerSimulator(seed_simulator=seed, max_parallel_threads=1)
    found = simulator.run(dynamic, shots=shots).result().data()
    expected = [found[str(number)] for number in range(len(OBSERVABLES))]
    mine = engine(circuit, OBSERVABLES, [row], names)[0]
    # every outcome's value is within [-1, 1]
    np.testing.assert_allclose(mine, expected, atol=5 / np.sqrt(shots))


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_all_outcomes_together(seed):
    rng = np.random.default_rng(seed)
    circuit, names = random_circuit(rng, num_qubits=2, length=8)
    observables = [SparsePauliOp("ZI"), SparsePauliOp("XY")]
    row, step = rng.normal(size=3), 1e-5
    shifts = step * np.eye(3)
    up, down = (twin(circuit, names, row + s, observables) for s in (shifts, -shifts))
    expected = (up - down).T / (2 * step)
    layer = QuantumLayer(make_qnn(circuit, names[:1], names[1:], observables)).double()
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(row[1:]))
    inputs = torch.as_tensor(row[:1]).requires_grad_()
    for number, value in enumerate(layer(inputs)):
        found = torch.autograd.grad(value, [inputs, layer.weight], retain_graph=True)
        np.testing.assert_allclose(torch.cat(found), expected[number], atol=1e-8)
    estimator = TorchEstimator(dtype="complex128")
    for method in ("param_shift", "adjoint"):
        gradient = BatchedEstimatorGradient(estimator, method)
        result = gradient.run([circuit] * 2, observables, [row] * 2).result()
        np.testing.assert_allclose(result.gradients, expected, atol=1e-8)


def pooled():
    """Four qubits, of which two are measured and turn their neighbours: pooling of a QCNN."""
    x, w = ParameterVector("x", 4), ParameterVector("w", 6)
    dynamic, unitary = QuantumCircuit(4, 2), QuantumCircuit(4)
    for circuit in (dynamic, unitary):
        for q in range(4):
            circuit.ry(x[q], q)
        for q in range(0, 4, 2):
            circuit.cx(q, q + 1)
            circuit.rx(w[q], q)
            circuit.ry(w[q + 1], q + 1)
    for bit, q in enumerate((0, 2)):
        dynamic.measure(q, bit)
        with dynamic.if_test((dynamic.clbits[bit], 1)) as otherwise:
            dynamic.ry(w[4], q + 1)
        with otherwise:
            dynamic.rz(w[5], q + 1)
        unitary.cry(w[4], q, q + 1)
        unitary.x(q)
        unitary.crz(w[5], q, q + 1)
        unitary.x(q)
    for circuit in (dynamic, unitary):
        circuit.cx(1, 3)
    return dynamic, unitary, x, w


def test_pooling_is_controlled_gates_on_the_same_qubits():
    dynamic, unitary, x, w = pooled()
    observables = [SparsePauliOp("XIII"), SparsePauliOp("IIZI")]
    program = compile_circuit(dynamic, [*x, *w])
    assert (program.num_qubits, program.measured) == (4, {0, 2})
    inputs = torch.as_tensor(np.random.default_rng(0).normal(size=(5, 4)))
    found = []
    for circuit in (dynamic, unitary):
        torch.manual_seed(0)
        layer = QuantumLayer(make_qnn(circuit, list(x), list(w), observables)).double()
        rows = inputs.clone().requires_grad_()
        values = layer(rows)
        values.square().sum().backward()
        found.append((values.detach(), rows.grad, layer.weight.grad))
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-12, rtol=0)


def test_a_measured_qubit_has_no_phase():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    values = TorchEstimator().run([(circuit, ["XX", "YY", "ZZ", "IZ"])]).result()[0].data.evs
    np.testing.assert_allclose(values, [0, 0, 1, 0], atol=1e-6)
    circuit.h(0)
    again = TorchEstimator().run([(circuit, ["IX", "IZ", "ZX", "ZZ"])]).result()[0].data.evs
    np.testing.assert_allclose(again, [0, 0, 1, 0], atol=1e-6)


def test_there_is_no_final_state_of_many_outcomes():
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    engine = StatevectorEngine(compile_circuit(circuit), [], 0)
    with pytest.raises(CircuitError, match="mixture"):
        engine.states(torch.zeros(1, 0), torch.zeros(0))


def test_a_qubit_is_used_again_after_a_reset():
    t = Parameter("t")
    circuit = QuantumCircuit(1, 2)
    circuit.ry(t, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.h(0)
    circuit.measure(0, 1)
    circuit.reset(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    (value,) = (
        TorchEstimator(dtype="complex128").run([(circuit, "Z", [[0.7]])]).result()[0].data.evs
    )
    assert value == pytest.approx(np.cos(0.7), abs=1e-12)


def test_a_qubit_that_is_put_back_by_its_own_outcome_is_in_0():
    circuit = QuantumCircuit(1, 1)
    circuit.ry(1.1, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    values = TorchEstimator().run([(circuit, ["Z", "X"])]).result()[0].data.evs
    np.testing.assert_allclose(values, [1, 0], atol=1e-6)


def test_initialize_in_the_middle_and_inside_an_instruction():
    inner = QuantumCircuit(1)
    inner.initialize([0.6, 0.8])
    circuit = QuantumCircuit(2)
    circuit.append(inner.to_instruction(), [0])
    circuit.h(1)
    circuit.cx(1, 0)
    circuit.initialize([0.8, 0.6], 1)
    found = TorchEstimator().run([(circuit, ["IZ", "ZI", "XI", "ZZ"])]).result()[0].data.evs
    np.testing.assert_allclose(found, [0, 0.28, 0.96, 0], atol=1e-6)


def test_loops_of_numbers_and_boxes_are_written_out():
    t, turn = Parameter("t"), Parameter("turn")
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(3), turn):
        circuit.ry(t * turn, 0)
    with circuit.box():
        circuit.ry(t, 0)
    (value,) = (
        TorchEstimator(dtype="complex128").run([(circuit, "Z", [[0.3]])]).result()[0].data.evs
    )
    assert value == pytest.approx(np.cos(1.2), abs=1e-12)


def decided(circuit, condition):
    with circuit.if_test(condition):
        circuit.x(1)


def looping(circuit):
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.h(0)


def breaking(circuit):
    with circuit.for_loop(range(2)), circuit.if_test((circuit.clbits[0], 1)):
        circuit.break_loop()


def storing(circuit):
    circuit.store(circuit.add_var("v", expr.lift(False)), expr.lift(True))


def by_variable(circuit):
    decided(circuit, circuit.add_input("v", expr.lift(True).type))


def measured_sometimes(circuit):
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.measure(1, 1)


OBSTACLES = {
    "while_loop": looping, "break_loop": breaking, "store": storing, "if_else": by_variable,
    "measure": measured_sometimes,
}  # fmt: skip


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_cannot_be_deferred_is_named(name):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    OBSTACLES[name](circuit)
    with pytest.raises(CircuitError, match=f"instruction '{name}'") as error:
        compile_circuit(circuit)
    assert "\n" not in str(error.value)
    with pytest.raises(CircuitError, match=f"instruction '{name}'"):
        QuantumLayer(make_qnn(circuit, [], []))()


def test_what_resets_have_taken_away_is_in_no_light_cone():
    circuit = QuantumCircuit(1)
    for _ in range(60):
        circuit.h(0)
        circuit.reset(0)
    circuit.h(0)
    program = compile_circuit(circuit)
    assert program.num_qubits == 61
    found = StatevectorEngine(program, [SparsePauliOp("X"), SparsePauliOp("Z")], 0)
    values = found.expectations(torch.zeros(1, 0), torch.zeros(0))
    torch.testing.assert_close(values, torch.tensor([[1.0, 0.0]]))


def test_a_decision_by_too_many_bits_is_refused():
    register = ClassicalRegister(8)
    circuit = QuantumCircuit(QuantumRegister(8), register)
    circuit.h(range(8))
    circuit.measure(range(8), range(8))
    decided(circuit, (register, 3))
    with pytest.raises(CircuitError, match=r"'if_else' .* decided by 8 bits"):
        compile_circuit(circuit)


def test_bits_that_were_never_written_are_0():
    circuit = QuantumCircuit(2, 2)
    decided(circuit, (circuit.clbits[0], 0))
    decided(circuit, (circuit.clbits[1], 1))
    assert TorchEstimator().run([(circuit, "ZI")]).result()[0].data.evs == pytest.approx(-1)


def conditional(bit=0, value=1, angle=0.3, measured=0):
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.measure([0, 1], [measured, 1 - measured])
    with circuit.if_test((circuit.clbits[bit], value)):
        circuit.rx(angle, 0)
    return circuit


def test_circuits_are_told_apart_by_what_decides():
    others = [
        conditional(bit=1),
        conditional(value=0),
        conditional(angle=0.4),
        conditional(measured=1),
    ]
    keys = {circuit_key(circuit) for circuit in (conditional(), *others)}
    assert len(keys) == 5
    assert circuit_key(conditional()) == circuit_key(conditional())
    register = ClassicalRegister(2)
    by = [
        (register, 1), (register, 2), expr.less(register, 2), expr.less(2, register),
        expr.bit_and(register[0], register[1]), expr.bit_or(register[0], register[1]),
    ]  # fmt: skip
    found = set()
    for condition in (*by, *by):
        circuit = QuantumCircuit(QuantumRegister(2), register)
        decided(circuit, condition)
        found.add(circuit_key(circuit))
    assert len(found) == len(by)


def test_circuits_of_gates_are_not_dynamic():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.barrier()
    inner = QuantumCircuit(1)
    inner.x(0)
    circuit.append(inner.to_instruction(), [0])
    assert not is_dynamic(circuit)
    inner.reset(0)
    circuit.append(inner.to_instruction(), [0])
    assert is_dynamic(circuit)


def test_what_measured_bits_decide_is_no_evolution_with_parameters():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.append(HamiltonianEvolution([1.0, 0.5, -1.0], Parameter("t")), [1])
    with pytest.raises(CircuitError, match="can't be decided by measured bits"):
        compile_circuit(circuit)


def test_a_circuit_that_measures_in_its_middle_has_no_state():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    with pytest.raises(CircuitError, match="ends in a mixture"):
        states(circuit, np.zeros((1, 0)))


def test_groups_read_probabilities():
    circuit, angles = QuantumCircuit(2), ParameterVector("a", 3)
    circuit.ry(angles[0], 0)
    circuit.ry(angles[1], 0)
    circuit.cx(0, 1)
    circuit.ry(angles[2], 1)
    network = make_qnn(circuit, [angles[0]], [*angles[1:]], read="probabilities")
    layer = QuantumLayer(network, groups=2).double()
    inputs = torch.rand(16, 2, 1, dtype=torch.float64)
    alone = [QuantumLayer(network, layer.weight[g].detach().numpy()).double() for g in range(2)]
    expected = torch.stack([one(inputs[:, g]) for g, one in enumerate(alone)], dim=1)
    found = layer(inputs)
    assert found.shape == (16, 2, 4)
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    gradients = torch.stack([one.weight.grad for one in alone])
    torch.testing.assert_close(layer.weight.grad, gradients)


def test_states_keep_the_phase_of_what_is_in_a_box():
    circuit = QuantumCircuit(1, global_phase=0.7)
    with circuit.box():
        circuit.h(0)
    expected = np.exp(0.7j) * np.ones(2) / 2**0.5
    np.testing.assert_allclose(states(circuit, np.zeros((1, 0)))[0], expected, atol=1e-12)


@pytest.mark.parametrize("gate", ["crx", "cp"])
def test_shift_rules_reach_hidden_parameters_in_blocks(gate):
    b = Parameter("b")
    circuit = QuantumCircuit(3, 1)
    circuit.h([0, 1])
    circuit.ry(0.8, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        getattr(circuit, gate)(b, 1, 2)
    observable = SparsePauliOp({"crx": "ZII", "cp": "XII"}[gate])
    exact = BatchedEstimatorGradient(TorchEstimator(dtype="complex128"))
    shifted = BatchedEstimatorGradient(AerEstimator(), method="param_shift", precision=0.01)
    first, second = (
        float(one.run([circuit], [observable], [[0.8]]).result().gradients[0][0])
        for one in (exact, shifted)
    )
    assert abs(first - second) < 0.05
    assert abs(first) > 0.1


def test_a_phase_with_parameters_in_a_block_is_no_obstacle():
    b = Parameter("b")
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as _:
        circuit.ry(b, 1)
    block = circuit.data[-1].operation.blocks[0]
    block.global_phase = b / 2
    changed = circuit.copy_empty_like()
    for item in circuit.data[:-1]:
        changed.append(item)
    changed.if_test((changed.clbits[0], 1), block, [0, 1][: block.num_qubits][::-1], [0])
    gradients = [
        BatchedEstimatorGradient(TorchEstimator(dtype="complex128"), method=method)
        .run([changed], [SparsePauliOp("ZI")], [[0.8]])
        .result()
        .gradients[0]
        for method in ("adjoint", "param_shift")
    ]
    np.testing.assert_allclose(*gradients, atol=1e-8)
