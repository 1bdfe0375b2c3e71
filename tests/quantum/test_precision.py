"""Angles are doubles whatever precision states have; memory grows with their number only."""

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import real_amplitudes, zz_feature_map
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.noise_models import NoiseSpec
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, make_qnn
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import compile_noisy
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

Z = SparsePauliOp("Z")
SILENT = NoiseSpec("nothing", ("rx",))
LARGE = np.array([[1e3 + 0.123], [1e5 + 0.123], [1e7 + 0.123], [1e9 + 0.123]])


def turned():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    return circuit


@pytest.mark.parametrize("noise", [None, SILENT], ids=["statevector", "density"])
def test_single_precision_states_get_double_precision_angles(noise):
    estimator = TorchEstimator(noise, dtype="complex64")
    found = estimator.run([(turned(), Z, LARGE)]).result()[0].data.evs
    np.testing.assert_allclose(found, np.cos(LARGE[:, 0]), atol=3e-7)


def test_pixel_values_in_a_feature_map_of_a_float32_layer(twin, twin_jacobian):
    feature_map, ansatz = zz_feature_map(4, reps=2), real_amplitudes(4, reps=1)
    circuit = feature_map.compose(ansatz)
    observable = SparsePauliOp("ZIII")
    inputs, weights = list(feature_map.parameters), list(ansatz.parameters)
    rng = np.random.default_rng(0)
    start = rng.uniform(-1, 1, len(weights)).astype(np.float32)
    layer = QuantumLayer(make_qnn(circuit, inputs, weights, [observable]), start)
    x = torch.tensor(rng.uniform(0, 255, (4, 4)), dtype=torch.float32, requires_grad=True)
    values = layer(x)
    assert values.dtype == torch.float32
    everything = np.concatenate([x.detach().double(), np.tile(start.astype(float), (4, 1))], axis=1)
    expected = twin(circuit, [observable], everything, [*inputs, *weights])
    np.testing.assert_allclose(values.detach(), expected, atol=1e-5)
    values[0].sum().backward()
    slope = twin_jacobian(circuit, [observable], everything[0], [*inputs, *weights])[0]
    # slopes of hundreds, from steps of 3e-6
    np.testing.assert_allclose(x.grad[0], slope[:4], rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(layer.weight.grad, slope[4:], atol=1e-4)


@pytest.mark.parametrize("kind", ["statevector", "tensors", "density"])
def test_engines_take_the_precision_of_states_apart_from_that_of_angles(kind):
    circuit = turned()
    if kind == "density":
        engine = DensityEngine(compile_noisy(circuit, SILENT.channels()), [Z], 1)
    else:
        engine = StatevectorEngine(compile_circuit(circuit), [Z], 1)
    batched, none = torch.tensor(LARGE, requires_grad=True), torch.zeros(0)

    def values(x):
        return engine.expectations(x, none, dtype=torch.float32)

    if kind == "tensors":
        found = torch.func.vmap(lambda row: values(row[None])[0])(batched.detach())
    else:
        found = values(batched)
        found.sum().backward()
        np.testing.assert_allclose(batched.grad, -np.sin(LARGE), atol=3e-7)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.detach(), np.cos(LARGE), atol=3e-7)


def test_memory_grows_with_the_number_of_angles_not_with_its_square():
    x, circuit = Parameter("x"), QuantumCircuit(2)
    for i in range(6000):
        circuit.rx(x * (0.1 + i % 7), i % 2)
    layer = QuantumLayer(make_qnn(circuit, [x], [], [SparsePauliOp("ZZ")]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layer(torch.randn(4, 1))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # KiB


@pytest.mark.slow
def test_memory_stays_flat_while_a_layer_is_trained():
    feature_map, ansatz = zz_feature_map(4, reps=1), real_amplitudes(4, reps=2)
    circuit = feature_map.compose(ansatz)
    network = make_qnn(circuit, list(feature_map.parameters), list(ansatz.parameters))
    layer = QuantumLayer(network)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)

    def train(steps):
        for step in range(steps):
            optimiser.zero_grad()
            # batches of different sizes, as the last one of an epoch is
            layer(torch.randn(8 + step % 5, 4)).square().mean().backward()
            optimiser.step()
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    settled = train(500)
    assert train(4000) - settled < 8e6
