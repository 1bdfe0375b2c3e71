"""States and probabilities by the compiled sweeps, side by side and one by one, and by torch."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import random_unitary

from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector import engine
from qvlm_qiskit.quantum.statevector.readings import ProbabilityEngine, StateEngine

N = 6
X, W = ParameterVector("x", N), ParameterVector("w", 2 * N)


def example():
    """All kinds of passes, an odd number of permutations among them."""
    circuit = QuantumCircuit(N)
    for qubit in range(N):
        circuit.ry(X[qubit] + 0.1 * qubit, qubit)
        circuit.p(W[qubit], qubit)
    for qubit in range(N - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.rzx(W[N] * 2, 0, 4)
    circuit.rxx(X[1], 1, 5)
    circuit.cz(2, 3)
    circuit.append(UnitaryGate(random_unitary(4, seed=1)), [1, 4])
    for qubit in range(N):
        circuit.rx(W[N + qubit], qubit)
    return compile_circuit(circuit, [*X, *W], with_phase=True)


def run(make, batch, outer_seed=0):
    rng = np.random.default_rng(1)
    x = torch.as_tensor(rng.normal(size=(batch, N))).requires_grad_()
    w = torch.as_tensor(rng.normal(size=2 * N)).requires_grad_()
    found = make(x, w)
    outer = torch.as_tensor(np.random.default_rng(outer_seed).normal(size=(2, *found.shape)))
    real = torch.view_as_real(found) if found.is_complex() else found[..., None]
    kinds = outer.movedim(0, -1)[..., : real.shape[-1]]
    (real * kinds).sum().backward()
    return found.detach(), x.grad, w.grad


MAKERS = {
    "states": lambda: lambda x, w: StateEngine(example(), N)(x, w, torch.float64),
    "all": lambda: ProbabilityEngine(example(), range(N), N).expectations,
    "some": lambda: ProbabilityEngine(example(), [4, 0, 2], N).expectations,
}


@pytest.mark.parametrize("batch", [1, 3, 20])
@pytest.mark.parametrize("kind", MAKERS)
def test_all_ways_give_the_same_values_and_gradients(kind, batch, monkeypatch):
    compiled = run(MAKERS[kind](), batch)
    monkeypatch.setattr(engine, "MAX_SWEEP_QUBITS", -1)
    for one, other in zip(compiled, run(MAKERS[kind](), batch), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_a_second_way_back_finds_the_same_states():
    for kind in ("states", "some"):
        rows = torch.zeros(1, N, dtype=torch.float64, requires_grad=True)
        weights = torch.full((2 * N,), 0.3, dtype=torch.float64)
        found = MAKERS[kind]()(rows, weights)
        values = found.detach().clone()
        grads = [torch.autograd.grad(found.abs().sum(), rows, retain_graph=True) for _ in range(2)]
        torch.testing.assert_close(*(one[0] for one in grads))
        torch.testing.assert_close(found.detach(), values, atol=0, rtol=0)
