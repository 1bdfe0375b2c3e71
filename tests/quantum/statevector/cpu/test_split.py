"""A sample that threads share, against one thread and against torch operations."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.cpu import executor, split
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.statevector.layered import running_on

NUM_QUBITS = 15
OBSERVABLES = [
    SparsePauliOp("Z" * NUM_QUBITS),
    SparsePauliOp.from_sparse_list(
        [("Z", [0], 0.3), ("ZZ", [13, 14], -1.1), ("Z", [14], 0.2), ("XY", [2, 12], 0.7)], 15
    ),
    SparsePauliOp.from_sparse_list([("Z", [13], 1)], NUM_QUBITS),
]


def layers(moves, opened=True):
    """Gates of both kinds of angles on every qubit, so many permutations, and phases."""
    x, w = ParameterVector("x", NUM_QUBITS), ParameterVector("w", (moves + 1) * NUM_QUBITS)
    circuit = QuantumCircuit(NUM_QUBITS)
    if not opened:
        for q in range(NUM_QUBITS):
            circuit.cx(q, (q + 1) % NUM_QUBITS)
    for layer in range(moves + 1):
        for q in range(NUM_QUBITS):
            if layer == 0 or q % 4:
                circuit.ry(x[q] + layer, q)
                circuit.rz(w[layer * NUM_QUBITS + q], q)
        if layer < moves:
            for q in range(NUM_QUBITS):
                circuit.cx(q, (q + 1) % NUM_QUBITS)
            circuit.cz(layer, NUM_QUBITS - 1)
    return compile_circuit(circuit, [*x, *w])


def problem(engine, size, dtype):
    generator = torch.Generator().manual_seed(size)
    count = engine.program.angles.num_parameters - NUM_QUBITS

    def numbers(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator).to(dtype)

    inputs, weights = numbers(size, NUM_QUBITS), numbers(count)
    outer = numbers(size, engine.num_observables)
    return inputs.requires_grad_(), weights.requires_grad_(), outer


def found(engine, inputs, weights, outer):
    values = engine.expectations(inputs, weights)
    return values, *torch.autograd.grad((values * outer).sum(), (inputs, weights))


@pytest.fixture
def shared(monkeypatch, two_threads):
    """Two threads share samples of so few qubits; the ways that they went."""
    monkeypatch.setattr(executor, "SPLIT_QUBITS", NUM_QUBITS)
    monkeypatch.setattr(executor, "THREAD_WORK", 1)
    calls = []
    for name in ("forward", "backward"):
        method = getattr(split.Split, name)

        def counted(*args, method=method, name=name):
            calls.append(name)
            return method(*args)

        monkeypatch.setattr(split.Split, name, counted)
    return calls


@pytest.mark.parametrize(("moves", "opened"), [(2, True), (3, True), (1, False), (0, True)])
def test_values_and_gradients_are_those_of_torch_operations(moves, opened, shared):
    engine = StatevectorEngine(layers(moves, opened), OBSERVABLES, NUM_QUBITS)
    given = problem(engine, 1, torch.float64)
    with running_on("torch"):
        expected = found(engine, *given)
    torch.testing.assert_close(found(engine, *given), expected, atol=1e-12, rtol=0)
    assert shared == ["forward", "backward"]


def test_singles_are_as_exact_as_on_one_thread(shared, monkeypatch):
    engine = StatevectorEngine(layers(2), OBSERVABLES, NUM_QUBITS)
    exact = found(engine, *problem(engine, 1, torch.float64))
    given = problem(engine, 1, torch.float32)
    together = found(engine, *given)
    assert shared == 2 * ["forward", "backward"]
    monkeypatch.setattr(executor, "SPLIT_QUBITS", NUM_QUBITS + 1)
    alone = found(engine, *given)
    assert shared == 2 * ["forward", "backward"]
    for one, two, right in zip(alone, together, exact, strict=True):
        assert two.dtype == torch.float32
        assert (two - right).abs().max() <= 1.5 * (one - right).abs().max() + 1e-6


def test_one_sample_of_one_thread_is_one_part(shared):
    engine = StatevectorEngine(layers(2), OBSERVABLES, NUM_QUBITS)
    given = problem(engine, 1, torch.float64)
    together = found(engine, *given)
    torch.set_num_threads(1)
    torch.testing.assert_close(found(engine, *given), together, atol=1e-12, rtol=0)
    assert shared == 2 * ["forward", "backward"]
    assert engine.cpu_executor._splits[1].parts == 1
    more = problem(engine, 2, torch.float64)
    engine.expectations(*more[:2])
    assert len(shared) == 4


def test_four_threads_share_what_two_samples_leave_them(shared):
    engine = StatevectorEngine(layers(1), OBSERVABLES, NUM_QUBITS)
    given = problem(engine, 2, torch.float64)
    expected = found(engine, *given)
    assert shared == []
    torch.set_num_threads(4)
    torch.testing.assert_close(found(engine, *given), expected, atol=1e-12, rtol=0)
    assert shared == ["forward", "backward"]


def test_values_without_a_way_back(shared):
    engine = StatevectorEngine(layers(3), OBSERVABLES, NUM_QUBITS)
    inputs, weights, _ = problem(engine, 1, torch.float64)
    expected = engine.expectations(inputs, weights)
    with torch.no_grad():
        values = engine.expectations(inputs, weights)
    torch.testing.assert_close(values, expected.detach(), atol=0, rtol=0)
    assert shared == ["forward", "forward"]


def test_the_gradient_of_a_given_lambda(shared, monkeypatch):
    engine = StatevectorEngine(layers(2), OBSERVABLES, NUM_QUBITS)
    x = engine.cpu_executor
    rng = np.random.default_rng(0)
    angles = (
        rng.normal(size=len(x.plan.shared_rows)),
        rng.normal(size=(1, len(x.plan.batched_rows))),
    )
    lam, found = rng.normal(size=(1, 2, 1 << NUM_QUBITS)), []
    for least in (NUM_QUBITS + 1, NUM_QUBITS):
        monkeypatch.setattr(executor, "SPLIT_QUBITS", least)
        _, states, saved = x.run(*angles, None, Call(torch.float64), keep=True)
        found.append(x.gradient_of_states(lam.copy(), states, saved, 1, with_amplitudes=False)[:2])
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(together, alone, atol=1e-11)
    assert shared == ["forward", "backward"]


@pytest.mark.parametrize("word", ["X", "Y"])
def test_observables_that_flip_the_highest_qubit_are_left_to_one_thread(word, shared):
    flip = SparsePauliOp.from_sparse_list([(word, [NUM_QUBITS - 1], 1.0)], NUM_QUBITS)
    engine = StatevectorEngine(layers(1), [flip], NUM_QUBITS)
    given = problem(engine, 1, torch.float64)
    with running_on("torch"):
        expected = found(engine, *given)
    torch.testing.assert_close(found(engine, *given), expected, atol=1e-12, rtol=0)
    assert shared == []


def test_rotations_of_pairs_and_small_circuits_are_left_to_one_thread():
    circuit = QuantumCircuit(NUM_QUBITS)
    circuit.rzz(0.3, 0, 1)
    pair = StatevectorEngine(compile_circuit(circuit, []), OBSERVABLES, 0).cpu_executor
    assert not split.can_split(pair.arrays, 2)
    wide = StatevectorEngine(layers(0), OBSERVABLES, NUM_QUBITS).cpu_executor
    assert split.can_split(wide.arrays, 4)
    assert not split.can_split(wide.arrays, 8)
