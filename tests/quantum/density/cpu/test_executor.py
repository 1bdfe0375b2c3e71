"""Compiled units against the same engine's torch operations, which are tested against Aer."""

import numpy as np
import pytest
import torch
from qiskit import transpile
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.noise_models import parse_parametric
from qvlm_qiskit.quantum.density import readout
from qvlm_qiskit.quantum.density.cpu import executor as module
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import compile_noisy
from tests.quantum.density.layered import FAMILIES, TOGETHER, layered


def labels(num_qubits):
    """Observables in two bases, one of a sum with the identity."""
    whole = ["Z" * num_qubits, "I" * (num_qubits - 1) + "X"]
    return [*map(SparsePauliOp, whole), SparsePauliOp(["I" * num_qubits, whole[1]], [0.5, -2.0])]


def engine_of(num_qubits, noise, num_batched=None):
    circuit, parameters = layered(num_qubits, seed=num_qubits)
    isa = transpile(circuit, basis_gates=["rz", "sx", "x", "cz"], optimization_level=1)
    program = compile_noisy(isa, parse_parametric(noise).channels(), parameters)
    batched = 2 * num_qubits if num_batched is None else num_batched
    return DensityEngine(program, labels(num_qubits), batched)


def values_for(engine, batch, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    sizes = (
        (batch, engine.num_batched),
        (engine.program.angles.num_parameters - engine.num_batched,),
    )
    return [torch.as_tensor(rng.uniform(-3, 3, size)).to(dtype).requires_grad_() for size in sizes]


def results(engine, values, factors):
    found = engine.expectations(*values)
    return found.detach(), *torch.autograd.grad((found * factors).sum(), values)


def both(engine, values):
    """Values and gradients, compiled and by torch."""
    factors = torch.linspace(-1, 2, len(values[0]) * engine.num_observables, dtype=values[0].dtype)
    factors = factors.reshape(-1, engine.num_observables)
    compiled = results(engine, values, factors)
    units, engine._units = engine._units, None
    plain = results(engine, values, factors)
    engine._units = units
    assert units is not None
    return compiled, plain


@pytest.mark.parametrize("noise", [*FAMILIES, TOGETHER])
@pytest.mark.parametrize(("num_qubits", "batch"), [(1, 3), (2, 1), (3, 70)])
def test_values_and_gradients_are_those_of_torch_operations(noise, num_qubits, batch):
    engine = engine_of(num_qubits, noise)
    for one, other in zip(*both(engine, values_for(engine, batch)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("noise", [FAMILIES[0], TOGETHER])
@pytest.mark.parametrize(("num_qubits", "batch"), [(4, 1), (5, 2), (6, 1)])
def test_few_samples_of_units_that_take_several_blocks(noise, num_qubits, batch):
    engine = engine_of(num_qubits, noise)
    for one, other in zip(*both(engine, values_for(engine, batch)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("num_batched", [0, 12])
def test_angles_that_all_or_no_samples_share(num_batched):
    engine = engine_of(3, TOGETHER, num_batched)
    for one, other in zip(*both(engine, values_for(engine, 5)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


def test_single_precision_is_single_and_close():
    engine = engine_of(3, TOGETHER)
    rough, _ = both(engine, values_for(engine, 9, torch.float32))
    exact, _ = both(engine, values_for(engine, 9))
    assert all(part.dtype == torch.float32 for part in rough)
    for one, other in zip(rough, exact, strict=True):
        torch.testing.assert_close(one.double(), other, atol=2e-5, rtol=2e-5)


def test_threads_and_tiles_change_nothing(monkeypatch):
    engine = engine_of(3, TOGETHER)
    values = values_for(engine, 21)
    whole, _ = both(engine, values)
    monkeypatch.setattr(module, "WIDTH", 4)
    monkeypatch.setattr(module, "THREAD_WORK", 1)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        parts, _ = both(engine, values)
    finally:
        torch.set_num_threads(before)
    for one, other in zip(parts, whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-13, rtol=1e-12)


def test_portions_compute_their_states_again(monkeypatch):
    engine = engine_of(2, TOGETHER)
    values = values_for(engine, 7)
    whole, _ = both(engine, values)
    monkeypatch.setattr(DensityEngine, "_rows_per_portion", lambda *_: 2)
    for one, other in zip(both(engine, values)[0], whole, strict=True):
        torch.testing.assert_close(one, other, atol=1e-13, rtol=1e-12)


def test_a_graph_can_be_used_twice_and_differentiated_again():
    engine = engine_of(2, TOGETHER)
    values = values_for(engine, 3)
    total = engine.expectations(*values).square().sum()
    first = torch.autograd.grad(total, values, retain_graph=True)
    second = torch.autograd.grad(total, values)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
    assert torch.autograd.gradgradcheck(engine.expectations, values_for(engine, 2))


def test_transforms_go_through_torch():
    engine = engine_of(2, TOGETHER)
    batched, shared = (value.detach() for value in values_for(engine, 3))
    found = torch.func.jacrev(lambda w: engine.expectations(batched, w))(shared)
    wanted = torch.autograd.functional.jacobian(lambda w: engine.expectations(batched, w), shared)
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


def test_too_much_to_read_is_left_to_torch(monkeypatch):
    assert engine_of(3, TOGETHER)._units is not None
    monkeypatch.setattr(readout, "MAX_READ", 3)
    assert engine_of(3, TOGETHER)._units is None
