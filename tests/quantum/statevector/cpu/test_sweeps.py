"""The drivers run any tiles of a batch, and each of them gives what it gives alone."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.cpu import sweeps
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

BATCH = 130  # three tiles, the last of them not full


@pytest.fixture
def executor():
    x, w = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.rx(w[0], 1)
    circuit.cx(0, 1)
    circuit.ry(x[1], 1)
    circuit.rz(w[1], 0)
    circuit.ch(1, 0)
    observables = [SparsePauliOp("ZZ"), SparsePauliOp("XI")]
    return StatevectorEngine(compile_circuit(circuit, [*x, *w]), observables, 2).cpu_executor


@pytest.fixture
def angles():
    """Of the gates that all samples share, and of the others: ``(2,)`` and ``(BATCH, 2)``."""
    rng = np.random.default_rng(1)
    return rng.uniform(-3, 3, 2), rng.uniform(-3, 3, (BATCH, 2))


def run(executor, shared, batched):
    """Values, final states, and what the drivers are called with."""
    return executor.run(shared, batched, None, Call(torch.float64), True)


def change(executor, angles, steps):
    """What central steps in the angles change of the values, per unit."""
    there, back = ([a + sign * s for a, s in zip(angles, steps, strict=True)] for sign in (1, -1))
    return (run(executor, *there)[0] - run(executor, *back)[0]) / 2


def test_a_call_runs_its_tiles_and_leaves_the_others_alone(executor, angles):
    values, states, saved = run(executor, *angles)
    tiles, lanes = len(states), states.shape[2] // 4
    assert tiles == 3
    out, kept = np.zeros((tiles, 2, lanes)), np.zeros_like(states)
    sweeps.forward(executor.arrays, *saved, kept, out, 1, 2, True)
    np.testing.assert_array_equal(out[1].T, values[lanes : 2 * lanes])
    np.testing.assert_array_equal(kept[1], states[1])
    assert not out[[0, 2]].any()
    assert not kept[[0, 2]].any()


def test_states_that_are_not_kept_give_the_same_values(executor, angles):
    values, states, saved = run(executor, *angles)
    out, scratch = np.zeros((3, 2, states.shape[2] // 4)), np.empty((1, *states.shape[1:]))
    sweeps.forward(executor.arrays, *saved, scratch, out, 0, 3, False)
    np.testing.assert_array_equal(out.transpose(0, 2, 1).reshape(-1, 2)[:BATCH], values)


def test_the_way_back_is_the_derivative_of_the_way_there(executor, angles):
    shared, batched = angles
    outer = np.random.default_rng(2).normal(size=(BATCH, 2))
    _, states, saved = run(executor, shared, batched)
    lanes = states.shape[2] // 4
    seeds = np.zeros((3 * lanes, 2))
    seeds[:BATCH] = outer
    seeds = np.ascontiguousarray(seeds.reshape(3, lanes, 2).transpose(0, 2, 1))
    d_shared, d_batched = np.zeros(2), np.zeros((3, 2, lanes))
    for first, last in ((0, 1), (1, 3)):
        sweeps.backward(
            executor.arrays, *saved, states, seeds, np.empty((0, *states.shape[1:])), d_shared,
            d_batched, np.empty((3 * lanes, 0)), first, last,
        )  # fmt: skip
    found = d_batched.transpose(0, 2, 1).reshape(-1, 2)[:BATCH]
    for index, step in enumerate(np.eye(2) * 1e-5):
        slope = (outer * change(executor, angles, (step, 0))).sum() / 1e-5
        assert d_shared[index] == pytest.approx(slope, abs=1e-6)
        slopes = (outer * change(executor, angles, (0, step))).sum(axis=1) / 1e-5
        np.testing.assert_allclose(found[:, index], slopes, atol=1e-7)
