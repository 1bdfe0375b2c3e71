import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import CXGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qvlm_qiskit.quantum import AmplitudeEncoding, QuantumLayer, make_qnn
from qvlm_qiskit.quantum.program.light_cone import light_cone
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine


def brickwork(n, depth, parameters, seed):
    """Random gates on neighbours: a light cone grows by one qubit a side and layer."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    values = iter(parameters)
    for layer in range(depth):
        for q in range(n):
            circuit.ry(next(values), q)
        for q in range(layer % 2, n - 1, 2):
            gate = rng.integers(3)
            if gate == 0:
                circuit.append(CXGate(ctrl_state=int(rng.integers(2))), [q + 1, q])
            elif gate == 1:
                circuit.rzx(next(values), q, q + 1)
            else:
                circuit.append(UnitaryGate(random_unitary(4, seed=rng)), [q, q + 1])
    return circuit


@pytest.mark.parametrize("seed", range(8))
def test_values_and_derivatives_are_those_of_the_whole_circuit(seed, twin, twin_jacobian):
    rng = np.random.default_rng(seed)
    w = ParameterVector("w", 40)
    circuit = brickwork(7, 2, w, seed)
    parameters = list(w)
    observables = [SparsePauliOp.from_sparse_list([("XZ", [1, 2], 0.7), ("Y", [2], -1)], 7)]
    if seed % 2:
        observables.append(SparsePauliOp.from_sparse_list([("Z", [5], 1)], 7))
    engine = StatevectorEngine(compile_circuit(circuit, parameters), observables, 20)
    assert engine.program.num_qubits < 7 or seed % 2
    row = rng.uniform(-3, 3, 40)
    values = torch.as_tensor(row)
    found = engine.expectations(values[None, :20], values[20:])
    slow = twin(circuit, observables, row[None], parameters)
    np.testing.assert_allclose(found.numpy(), slow, atol=1e-12)
    blocks = torch.autograd.functional.jacobian(
        lambda x, v: engine.expectations(x[None], v)[0], (values[:20], values[20:])
    )
    slow = twin_jacobian(circuit, observables, row, parameters)
    np.testing.assert_allclose(torch.cat(blocks, -1).numpy(), slow, atol=1e-8)


def test_what_nobody_sees_is_dropped():
    w = ParameterVector("w", 40)
    program = compile_circuit(brickwork(12, 1, w, 0), list(w))
    pruned = light_cone(program, [SparsePauliOp.from_sparse_list([("Z", [4], 1)], 12)])
    assert pruned.num_qubits <= 2
    assert len(pruned.operations) <= 3
    assert set(pruned.active) <= {3, 4, 5}
    assert pruned.angles is program.angles


def test_nothing_is_dropped_where_everything_is_seen_or_nothing_is():
    w = ParameterVector("w", 40)
    program = compile_circuit(brickwork(4, 2, w, 0), list(w))
    assert light_cone(program, [SparsePauliOp("ZZZZ")]) is program
    assert light_cone(program, [SparsePauliOp("IIII")]) is program
    assert light_cone(program, []) is program


def test_an_amplitude_load_is_seen_from_every_qubit(twin):
    x, w = ParameterVector("x", 7), ParameterVector("w", 3)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(x)), range(3))
    for q in range(3):
        circuit.ry(w[q], q)
    program = compile_circuit(circuit, [*x, *w])
    observable = SparsePauliOp("IIZ")
    pruned = light_cone(program, [observable])
    assert pruned.num_qubits == 3
    assert len(pruned.operations) == 2
    row = np.random.default_rng(0).uniform(-2, 2, 10)
    engine = StatevectorEngine(program, [observable], 7)
    values = torch.as_tensor(row)
    found = engine.expectations(values[None, :7], values[7:])
    slow = twin(circuit, [observable], row[None], [*x, *w])
    np.testing.assert_allclose(found.numpy(), slow, atol=1e-12)


def test_a_layer_gives_weights_outside_the_cone_a_gradient_of_zero():
    w = ParameterVector("w", 3)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(w[q], q)
    layer = QuantumLayer(make_qnn(circuit, [], list(w), [SparsePauliOp("IZI")]))
    layer().sum().backward()
    gradient = layer.weight.grad
    assert gradient[1] == pytest.approx(-np.sin(float(layer.weight[1].detach())), abs=1e-6)
    assert gradient[0] == gradient[2] == 0
