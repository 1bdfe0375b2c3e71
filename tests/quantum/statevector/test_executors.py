from unittest import mock

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum import AmplitudeEncoding
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector import engine as statevector
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

EXECUTORS = {"sweeps": statevector.MAX_SWEEP_QUBITS, "torch": -1}


def running_on(executor):
    """Circuits of at most so many qubits go to the compiled sweeps, the others to torch."""
    return mock.patch.object(statevector, "MAX_SWEEP_QUBITS", EXECUTORS[executor])


def all_paulis(num_qubits):
    rng = np.random.default_rng(num_qubits)
    labels = {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(12)}
    return [SparsePauliOp(label) for label in sorted(labels)]


def layered(n, layers=1):
    """Batched and shared angles on every qubit, entangled in a ring."""
    x, w = ParameterVector("x", n), ParameterVector("w", 2 * n * layers)
    circuit = QuantumCircuit(n)
    for qubit in range(n):
        circuit.ry(x[qubit], qubit)
    for layer in range(layers):
        for qubit in range(n):
            circuit.rz(w[2 * n * layer + 2 * qubit], qubit)
            circuit.rx(w[2 * n * layer + 2 * qubit + 1], qubit)
        for qubit in range(n):
            circuit.cx(qubit, (qubit + 1) % n)
    return circuit, [*x, *w]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64])
def test_every_size_of_batch_gives_the_rows_one_by_one(size, executor):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    torch.manual_seed(size)
    inputs = torch.randn(size, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(6, dtype=torch.float64, requires_grad=True)
    outer = torch.randn(size, engine.num_observables, dtype=torch.float64)
    with running_on(executor):
        together = engine.expectations(inputs, weights)
        alone = torch.cat([engine.expectations(row[None], weights) for row in inputs])
        torch.testing.assert_close(together, alone, atol=1e-12, rtol=0)
        torch.testing.assert_close(
            torch.autograd.grad((together * outer).sum(), (inputs, weights)),
            torch.autograd.grad((alone * outer).sum(), (inputs, weights)),
            atol=1e-11,
            rtol=0,
        )


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("n", [6, 7, 8, 9])
def test_wide_circuits_equal_the_twin_and_the_parameter_shift_rule(n, executor, twin):
    circuit, parameters = layered(n)
    rng = np.random.default_rng(n)
    row = rng.uniform(-3, 3, len(parameters))
    chosen = rng.choice(len(parameters), 6, replace=False)
    observables = all_paulis(n)[:6]
    engine = StatevectorEngine(compile_circuit(circuit, parameters), observables, n)
    values = torch.as_tensor(row)
    with running_on(executor):
        result = engine.expectations(values[None, :n], values[n:])
        blocks = torch.autograd.functional.jacobian(
            lambda x, w: engine.expectations(x[None], w)[0], (values[:n], values[n:])
        )
    expected = twin(circuit, observables, row[None], parameters)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-10, rtol=0)
    shift = np.eye(len(parameters))[chosen] * np.pi / 2
    shifted = twin(circuit, observables, np.concatenate([row + shift, row - shift]), parameters)
    np.testing.assert_allclose(
        torch.cat(blocks, -1).numpy()[:, chosen],
        (shifted[:6] - shifted[6:]).T / 2,
        atol=1e-10,
        rtol=0,
    )


def gradients_of(engine, dtype, size=6):
    torch.manual_seed(1)
    n, m = engine.num_batched, engine.program.angles.num_parameters - engine.num_batched
    inputs = torch.randn(size, n, dtype=torch.float64).to(dtype).requires_grad_()
    weights = torch.randn(m, dtype=torch.float64).to(dtype).requires_grad_()
    values = engine.expectations(inputs, weights)
    outer = torch.linspace(-1, 1, values.numel(), dtype=dtype).reshape(values.shape)
    return values, inputs, weights, outer


@pytest.mark.parametrize("executor", EXECUTORS)
def test_single_precision_gradients_are_close(executor):
    circuit, parameters = layered(4, layers=2)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(4), 4)
    found = {}
    with running_on(executor):
        for dtype in (torch.float32, torch.float64):
            values, inputs, weights, outer = gradients_of(engine, dtype)
            (values * outer).sum().backward()
            assert inputs.grad.dtype == weights.grad.dtype == dtype
            found[dtype] = torch.cat([inputs.grad.reshape(-1), weights.grad]).double()
    torch.testing.assert_close(found[torch.float32], found[torch.float64], atol=3e-5, rtol=0)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_second_backward_pass_gives_the_same(executor):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    with running_on(executor):
        values, inputs, weights, outer = gradients_of(engine, torch.float64)
        loss = (values * outer).sum()
        first = torch.autograd.grad(loss, (inputs, weights), retain_graph=True)
        second = torch.autograd.grad(loss, (inputs, weights), retain_graph=True)
        (only_weights,) = torch.autograd.grad(loss, weights)
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    torch.testing.assert_close(first[1], only_weights, atol=1e-12, rtol=0)


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


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_visible_and_in_its_row(executor, bad):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    with running_on(executor):
        values, inputs, weights, _ = gradients_of(engine, torch.float32)
        spoilt = inputs.detach().clone()
        spoilt[2, 1] = bad
        others = [0, 1, 3, 4, 5]
        result = engine.expectations(spoilt, weights).detach()
        assert result[2].isnan().any()
        torch.testing.assert_close(result[others], values[others].detach(), atol=1e-6, rtol=0)
        outer = torch.ones_like(values)
        outer[2, 0] = bad
        values.backward(outer)
    assert not weights.grad.isfinite().all()
    assert not inputs.grad[2].isfinite().all()
    assert inputs.grad[others].isfinite().all()


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


@pytest.mark.parametrize("executor", EXECUTORS)
def test_inputs_need_not_be_contiguous_and_are_left_alone(executor):
    circuit, parameters = layered(3)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(3), 3)
    wide = torch.randn(3, 10, dtype=torch.float64)
    weights = torch.randn(12, dtype=torch.float64)
    before = wide.clone(), weights.clone()
    with running_on(executor):
        values = engine.expectations(wide.T[::2], weights[::2])
        expected = engine.expectations(wide.T[::2].contiguous(), weights[::2].contiguous())
        expanded = engine.expectations(wide.T[:1].expand(4, 3), weights[::2])
    torch.testing.assert_close(values, expected, atol=0, rtol=0)
    torch.testing.assert_close(expanded, values[:1].expand(4, -1), atol=1e-12, rtol=0)
    torch.testing.assert_close((wide, weights), before, atol=0, rtol=0)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_empty_batch_has_no_values(executor):
    circuit, parameters = layered(2)
    engine = StatevectorEngine(compile_circuit(circuit, parameters), all_paulis(2), 2)
    with running_on(executor):
        values = engine.expectations(torch.zeros(0, 2), torch.zeros(4))
    assert values.shape == (0, engine.num_observables)


def opened(order, first):
    """Circuits that differ in which gates meet qubits in |0⟩, and how they depend on the batch."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 4)
    circuit = QuantumCircuit(4)
    gates = {
        "batched": lambda q: circuit.ry(x[q % 2], q),
        "shared": lambda q: circuit.rx(w[q], q),
        "constant": lambda q: circuit.h(q),
        "mixed": lambda q: (circuit.rx(w[q], q), circuit.sx(q), circuit.ry(x[q % 2], q)),
        "none": lambda q: None,
    }
    for step in order:
        if isinstance(step, int):
            gates[first[step]](step)
        else:
            circuit.cx(*step)
    for q in range(4):
        circuit.rz(w[q], q)
        circuit.ry(x[q % 2], q)
    circuit.rzz(w[0], 1, 3)
    circuit.rx(w[1], 2)
    return circuit, [*x, *w]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, (0, 1), 1, 2, (2, 1), 3), ((3, 0), 2, 1, 0)])
@pytest.mark.parametrize(
    "first",
    [
        ("batched", "shared", "mixed", "constant"),
        ("none", "mixed", "none", "batched"),
        ("shared", "none", "batched", "mixed"),
        ("mixed", "mixed", "shared", "none"),
    ],
)
def test_gates_that_open_a_circuit_equal_the_twin(order, first, twin, twin_jacobian):
    circuit, parameters = opened(order, first)
    observables = all_paulis(4)[:5]
    engine = StatevectorEngine(compile_circuit(circuit, parameters), observables, 2)
    inputs = torch.tensor([[0.3, -1.1], [2.0, 0.7], [-0.4, 1.9]], dtype=torch.float64)
    weights = torch.tensor([0.9, -0.2, 1.7, 0.4], dtype=torch.float64)
    rows = torch.cat([inputs, weights.expand(3, -1)], dim=1).numpy()
    expected = twin(circuit, observables, rows, parameters)
    values = engine.expectations(inputs, weights).numpy()
    np.testing.assert_allclose(values, expected, atol=1e-12, rtol=0)
    by_input, by_weight = torch.autograd.functional.jacobian(engine.expectations, (inputs, weights))
    for i, row in enumerate(rows):
        found = np.concatenate([by_input[i, :, i].numpy(), by_weight[i].numpy()], axis=1)
        slow = twin_jacobian(circuit, observables, row, parameters)
        np.testing.assert_allclose(found, slow, atol=1e-8, rtol=0)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_features_of_any_scale_are_normalised_by_the_sweeps_as_by_torch(scale):
    x = ParameterVector("x", 7)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(x)), range(3))
    circuit.cx(0, 1)
    circuit.h(2)
    engine = StatevectorEngine(compile_circuit(circuit, list(x)), all_paulis(3), 7)
    features = torch.randn(5, 8, dtype=torch.float64, generator=torch.manual_seed(3))
    features[3] = 0
    results = {}
    for executor in EXECUTORS:
        with running_on(executor):
            rows = (features * scale).requires_grad_()
            values = engine.expectations(rows.new_zeros(5, 0), rows.new_zeros(0), rows)
            outer = torch.linspace(-1, 1, values.numel(), dtype=torch.float64).view_as(values)
            (gradient,) = torch.autograd.grad(values, rows, outer)
            results[executor] = values.detach(), gradient * scale
    torch.testing.assert_close(results["sweeps"], results["torch"], atol=1e-12, rtol=1e-12)
    assert results["sweeps"][1][:3].abs().max() > 0.1
    assert results["sweeps"][1][3].abs().max() == 0
