"""Values and gradients through Aer's saved states, against this package's own engine."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.devices import aer
from qvlm_qiskit.errors import BackendError
from qvlm_qiskit.quantum import AmplitudeEncoding, QuantumLayer, make_qnn, variational_layer
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.training import train

OBSERVABLES = [SparsePauliOp(["IIZ", "ZYI"], [1.0, -0.5]), SparsePauliOp("XZI")]


@pytest.fixture(scope="module")
def layer():
    """Amplitudes, an input that is used twice, expressions, a gate that Aer binds with angle 0."""
    inputs, weights = ParameterVector("x", 8), ParameterVector("w", 9)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(inputs[:7])), range(3))
    circuit.cp(inputs[7], 0, 1)
    circuit.ry(inputs[7] * 2 + weights[0].sin(), 2)
    variational_layer(circuit, weights)
    return QuantumLayer(make_qnn(circuit, list(inputs), list(weights), OBSERVABLES))


def gradients(layer, inputs):
    inputs = inputs.clone().requires_grad_(True)
    values = layer(inputs)
    layer.weight.grad = None
    values.backward(torch.linspace(-1, 1, values.numel(), dtype=values.dtype).view_as(values))
    return values.detach(), inputs.grad, layer.weight.grad


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_layer_on_aer_has_the_engines_values_and_gradients(layer, rows):
    inputs = torch.rand(rows, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    own = gradients(layer, inputs)
    with layer.run_on(open_backend("aer", seed=1)):
        found = gradients(layer, inputs)
    for one, other in zip(own, found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=1e-5)


@pytest.fixture(scope="module")
def plain():
    """Angles and weights alone, which this package's engine answers by one kernel."""
    inputs, weights = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    for qubit in range(2):
        circuit.ry(inputs[qubit], qubit)
        circuit.rx(weights[qubit], qubit)
    circuit.cx(0, 1)
    return QuantumLayer(make_qnn(circuit, list(inputs), list(weights)))


@pytest.mark.parametrize("kind", ["layer", "plain"])
def test_one_batch_is_one_run_of_aer(kind, request, monkeypatch):
    layer = request.getfixturevalue(kind)
    calls = []
    real = aer.simulated_states

    def counted(*arguments):
        calls.append(len(arguments[-1]))
        return real(*arguments)

    monkeypatch.setattr(aer, "simulated_states", counted)
    with layer.run_on(open_backend("aer")):
        gradients(layer, torch.rand(6, layer.neural_network.num_inputs))
    assert calls == [6]


def test_groups_of_weights_are_run_by_aer_too(plain, monkeypatch):
    grouped = QuantumLayer(plain.neural_network, groups=2)
    rows = torch.rand(32, 2, 2, dtype=torch.float64)
    own = gradients(grouped, rows)
    calls = []
    real = aer.simulated_states
    monkeypatch.setattr(aer, "simulated_states", lambda *a: (calls.append(len(a[-1])), real(*a))[1])
    with grouped.run_on(open_backend("aer")):
        found = gradients(grouped, rows)
    assert sum(calls) == 64
    for one, other in zip(own, found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-6, rtol=1e-5)


def test_states_of_a_simulator_that_is_wrong_are_not_used(layer, monkeypatch):
    real = aer.simulated_states
    monkeypatch.setattr(aer, "simulated_states", lambda *a: np.roll(real(*a), 1, axis=1))
    with layer.run_on(open_backend("aer")), pytest.raises(BackendError, match="can't be used"):
        layer(torch.rand(2, 8))


def test_aer_that_fails_says_so(layer, monkeypatch):
    monkeypatch.setattr(
        aer.AerSimulator, "run", lambda *a, **k: type("Job", (), {"result": lambda s: FAILED})()
    )
    with layer.run_on(open_backend("aer")), pytest.raises(BackendError, match="out of memory"):
        layer(torch.rand(2, 8))


FAILED = type("Result", (), {"success": False, "status": "out of memory"})()


def test_shots_on_aer_give_no_gradients_yet_values(layer):
    with layer.run_on(open_backend("aer", shots=100, seed=1)):
        assert layer.differentiable_engine() is None
        assert layer(torch.rand(2, 8)).shape == (2, 2)


@pytest.mark.slow
def test_training_on_aer_is_training_on_statevectors(tmp_path):
    options = TrainingOptions(
        recipe="tiny", steps=20, batch_size=8, learning_rate=1e-2, train_samples=64
    )
    own = train(options, tmp_path / "own").model().state_dict()
    run = train(options, tmp_path / "aer", backend=open_backend("aer"))
    found = run.model().state_dict()
    assert run.info["backend"]["name"] == "aer"
    worst = max(float((own[name] - found[name]).abs().max()) for name in own)
    assert 0 < worst < 1e-4
