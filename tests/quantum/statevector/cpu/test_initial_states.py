import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qvlm_qiskit.quantum import AmplitudeEncoding
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.statevector.layered import EXECUTORS, all_paulis, running_on


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
