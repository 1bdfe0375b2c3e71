"""The circuits of all encodings: by hand, and on every machine that is exact."""

import math

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.blocks.cores.quantum import QuantumCore
from qvlm_qiskit.blocks.cores.shape import ENCODINGS, CoreShape
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import mps_encoding

MACHINES = ("aer", "noisy:depolarizing(0.02)")


def written_out(core, features, positions):
    """The circuit of a core for numbers, gate by gate, and the qubits that are read."""
    shape, n = core.shape, core.shape.num_qubits
    circuit, weights = QuantumCircuit(n), iter(core.layer.weight.tolist())
    angles = [math.pi / 2 * math.tanh(value) for value in features]
    if shape.encoding == "amplitude":
        circuit.initialize(np.array(features) / np.linalg.norm(features), range(n))
    if shape.encoding == "mps":
        mps_encoding(circuit, angles, shape.bond)
    for layer in range(shape.num_layers):
        for q in range(n):
            if shape.encoding == "angle" and layer == 0:
                circuit.ry(angles[q], q)
            if shape.encoding == "re-upload":
                scale, offset = core.angles.scale[layer, q], core.angles.offset[layer, q]
                circuit.ry(scale.item() * angles[q] + offset.item(), q)
        own = [next(weights) for _ in range(shape.layer_weights)]
        for q, position in enumerate(positions):
            circuit.rz(position, q)
            circuit.ry(own[3 * n + q], q)
        ring(circuit, own, range(n))
    left = list(range(n))
    for step in range(shape.pooling):
        if step:
            ring(circuit, [next(weights) for _ in range(3 * len(left))], left)
        for kept, found in zip(left[::2], left[1::2], strict=False):
            circuit.ry(next(weights), kept)
            circuit.cx(found, kept)
            circuit.ry(next(weights), kept)
            circuit.cx(found, kept)
        left = left[::2]
    assert next(weights, None) is None
    return circuit, left


def ring(circuit, weights, qubits):
    for index, q in enumerate(qubits):
        circuit.ry(weights[3 * index], q)
        circuit.rz(weights[3 * index + 1], q)
        circuit.rx(weights[3 * index + 2], q)
    if len(qubits) > 1:
        for a, b in zip(qubits, [*qubits[1:], qubits[0]], strict=True):
            circuit.cx(a, b)


def made(shape, seed=0):
    """A core in double precision with random numbers everywhere."""
    torch.manual_seed(seed)
    core = QuantumCore(shape).double()
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter)
    return core


def given(shape, rows, seed=1):
    torch.manual_seed(seed)
    features = torch.randn(rows, shape.features, dtype=torch.float64)
    return features, torch.randn(rows, shape.num_qubits).double() if shape.positional else None


class Asked(BaseEstimatorV2):
    """An estimator that only answers."""

    def __init__(self, inner):
        self.inner = inner

    def run(self, pubs, *, precision=None):
        return self.inner.run(pubs, precision=precision)


def test_values_are_those_of_the_circuit_written_out(shape):
    core = made(shape)
    features, positions = given(shape, 2)
    found = core(features, positions).detach()
    for row in range(2):
        placed = [] if positions is None else positions[row].tolist()
        circuit, left = written_out(core, features[row].tolist(), placed)
        state = Statevector(circuit)
        expected = [
            state.expectation_value(
                SparsePauliOp.from_sparse_list([("Z", [q], 1)], shape.num_qubits)
            )
            for q in left
        ]
        np.testing.assert_allclose(found[row].numpy(), np.real(expected), atol=1e-6)


def test_gradients_are_those_of_finite_differences(shape):
    core = made(shape)
    features, positions = given(shape, 2)
    features.requires_grad_(True)
    cotangent = torch.randn(2, shape.outputs, dtype=torch.float64)

    def total():
        return (core(features, positions) * cotangent).sum()

    total().backward()
    for tensor in (features, *core.parameters()):
        direction = torch.randn_like(tensor)
        step, start = 1e-3, tensor.detach().clone()
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                tensor.copy_(start + sign * step * direction)
                ends.append(float(total()))
        with torch.no_grad():
            tensor.copy_(start)
        slope = (ends[0] - ends[1]) / (2 * step)
        found = float((tensor.grad * direction).sum())
        assert found == pytest.approx(slope, abs=2e-3 * max(1, abs(slope)))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("machine", MACHINES)
def test_other_machines_give_values_and_the_gradients_of_the_parameter_shift(
    small, machine, encoding
):
    """Autograd through the machine, against shifted circuits that the machine only values."""
    core = made(CoreShape(**small, encoding=encoding))
    backend = open_backend(machine, **({} if machine == "aer" else {"precision": 0}))
    found = []
    for estimator in (backend, Asked(backend.estimator())):
        features = given(core.shape, 2)[0].requires_grad_(True)
        core.zero_grad()
        with core.layer.run_on(estimator, gradient="param_shift"):
            values = core(features)
            values.backward(torch.linspace(-1, 1, values.numel()).view_as(values).double())
        found.append((values.detach(), features.grad, *(p.grad for p in core.parameters())))
    for own, shifted in zip(*found, strict=True):
        torch.testing.assert_close(own, shifted, atol=5e-6, rtol=1e-5)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_aer_has_the_exact_values_and_noise_moves_them(small, encoding):
    core = made(CoreShape(**small, encoding=encoding))
    features, _ = given(core.shape, 3)
    exact = core(features).detach()
    with core.layer.run_on(open_backend("aer")), torch.no_grad():
        torch.testing.assert_close(core(features), exact, atol=2e-6, rtol=0)
    with core.layer.run_on(open_backend(MACHINES[1], precision=0)), torch.no_grad():
        moved = (core(features) - exact).abs()
    assert 1e-3 < float(moved.max()) < 1


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("fault", [math.nan, math.inf, -math.inf])
def test_features_that_are_no_numbers_are_refused(encoding, fault):
    core = QuantumCore(CoreShape(2, 1, encoding=encoding))
    features = torch.ones(2, core.shape.features)
    features[1, 0] = fault
    with pytest.raises(InputError, match="of a quantum layer hold NaN or infinity"):
        core(features)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_frozen_circuit_has_nothing_that_is_trained(encoding):
    core = QuantumCore(CoreShape(2, 2, encoding=encoding), frozen=True)
    assert not any(parameter.requires_grad for parameter in core.parameters())
    core.requires_grad_(True)
    core.freeze()
    assert not any(parameter.requires_grad for parameter in core.parameters())


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_angles_of_half_precision_features_are_single(encoding, dtype):
    core = QuantumCore(CoreShape(3, 2, encoding=encoding))
    features = torch.randn(4, core.shape.features).to(dtype)
    found = core(features)
    assert found.dtype == dtype
    # the features themselves are exact in single precision, and only the values are rounded
    assert torch.equal(found, core(features.float()).to(dtype))
