import numpy as np
import pytest
import torch
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.cpu import executor
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.statevector.layered import all_paulis, gradients_of, layered


@pytest.mark.parametrize("needed", ["inputs", "weights"])
def test_only_what_requires_a_gradient_gets_one(needed):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    values, inputs, weights, outer = gradients_of(engine, torch.float64)
    (values * outer).sum().backward()
    expected = inputs.grad if needed == "inputs" else weights.grad
    x = inputs.detach().requires_grad_(needed == "inputs")
    w = weights.detach().requires_grad_(needed == "weights")
    (engine.expectations(x, w) * outer).sum().backward()
    found, other = (x, w) if needed == "inputs" else (w, x)
    torch.testing.assert_close(found.grad, expected, atol=1e-12, rtol=0)
    assert other.grad is None


def test_threads_change_no_number():
    # enough work that a second and a third thread are taken
    circuit, parameters = layered(8, layers=3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(8), 8)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            values, inputs, weights, outer = gradients_of(engine, torch.float64, size=2000)
            (values * outer).sum().backward()
            found.append((values.detach(), inputs.grad, weights.grad))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize(("letters", "lanes"), [("Z", 1), ("X", 8)])
def test_large_samples_are_run_alone_where_that_fills_the_vectors(letters, lanes):
    n = executor.SINGLE_QUBITS
    circuit, parameters = layered(n)
    observables = [SparsePauliOp.from_sparse_list([(letters, [q], 1)], n) for q in range(n)] * 5
    observables += [SparsePauliOp.from_sparse_list([("XX", [0, q], 1)], n) for q in range(1, n)]
    chosen = observables[:n] if letters == "Z" else observables
    engine = StatevectorEngine(compile_circuit(circuit, parameters), chosen, n)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert engine.cpu_executor.lanes(np.dtype(np.float64), 8) == lanes
        assert engine.cpu_executor.lanes(np.dtype(np.float64), 3) == 1
    finally:
        torch.set_num_threads(threads)
