"""A promise across compilation and noise: autograd is the parameter-shift rule.

Tests no single module.
"""

import copy

import numpy as np
import pytest
import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    BatchedEstimatorGradient,
    QuantumLayer,
    TorchEstimator,
    make_qnn,
    variational_layer,
)

OBSERVABLES = [SparsePauliOp(["IIZ", "ZII"], [1.0, -0.5]), SparsePauliOp("XZI")]


def network():
    """Amplitudes, positions and weights, with an input that is used twice."""
    inputs, weights = ParameterVector("x", 8), ParameterVector("w", 9)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(inputs[:7])), range(3))
    circuit.rz(inputs[7], 1)
    circuit.ry(inputs[7] * 2 + weights[0], 2)
    variational_layer(circuit, weights)
    return make_qnn(circuit, list(inputs), list(weights), OBSERVABLES)


def rows(count=3):
    generator = torch.Generator().manual_seed(5)
    return torch.rand(count, 8, dtype=torch.float64, generator=generator)


def gradients(layer, inputs):
    inputs = inputs.clone().requires_grad_(True)
    values = layer(inputs)
    cotangent = torch.linspace(-1, 1, values.numel(), dtype=values.dtype).reshape(values.shape)
    layer.weight.grad = None
    values.backward(cotangent)
    return values.detach(), inputs.grad, layer.weight.grad


@pytest.mark.parametrize("name", ["noisy:fake_lagos", "noisy:fake_manila+zz(0.1)"])
def test_autograd_is_the_parameter_shift_rule(name):
    """The same backend, once differentiated by torch, once through pubs of shifted circuits."""
    backend = open_backend(name, precision=0, seed=1)
    estimator = backend.estimator()
    plain = network()
    shifted = EstimatorQNN(
        circuit=plain.circuit,
        estimator=estimator,
        observables=OBSERVABLES,
        input_params=plain.input_params,
        weight_params=plain.weight_params,
        gradient=BatchedEstimatorGradient(estimator),
        input_gradients=True,
        default_precision=0.0,
    )
    layer, slow = QuantumLayer(plain), QuantumLayer(shifted)
    slow.load_state_dict(layer.state_dict())
    with layer.run_on(backend):
        assert layer.differentiable_engine() is not None
        found = gradients(layer, rows())
    assert slow.differentiable_engine() is None
    for one, other in zip(found, gradients(slow, rows()), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)  # weights are float32


def test_values_are_those_of_the_primitive_interface():
    backend = open_backend("noisy:fake_manila", precision=0)
    layer = QuantumLayer(network())
    with layer.run_on(backend), torch.no_grad():
        direct = layer(rows()).numpy()
        through = layer.evaluate_rows(rows().numpy(), layer.weight.detach().double().numpy())
        exact = np.abs(direct - through).max()
    assert exact < 1e-12
    clean = layer(rows()).detach().numpy()
    assert np.abs(direct - clean).max() > 0.01


def test_noise_free_noise_is_the_statevector():
    backend = open_backend("noisy:fake_manila", precision=0, noise_scale=0)
    layer = QuantumLayer(network())
    clean = gradients(layer, rows())
    with layer.run_on(backend):
        for one, other in zip(gradients(layer, rows()), clean, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_the_layer_changes_backends_and_back():
    layer = QuantumLayer(network())
    backends = [
        open_backend(name, precision=0) for name in ("noisy:fake_manila", "noisy:depolarizing(0.2)")
    ]
    values = []
    for backend in (*backends, backends[0]):
        with layer.run_on(backend):
            values.append(layer(rows()).detach())
    assert torch.equal(values[0], values[2])
    assert not torch.allclose(values[0], values[1], atol=1e-3)
    assert copy.deepcopy(layer)._engines._elsewhere is None


def test_encode_and_odd_shapes_go_the_same_way():
    backend = open_backend("noisy:fake_manila", precision=0)
    layer = QuantumLayer(network())
    features = torch.rand(2, 3, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    more = torch.rand(2, 3, 1, generator=torch.Generator().manual_seed(2))
    with layer.run_on(backend):
        values = layer.encode(features, more)
        values.sum().backward()
        alone = layer.encode(features[1, 2], more[1, 2])
    assert values.shape == (2, 3, 2)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values[1, 2], alone, atol=1e-6, rtol=0)
    assert torch.isfinite(features.grad).all()
    assert features.grad.abs().max() > 1e-3


def test_sampled_values_have_no_gradient_and_say_what_has():
    layer = QuantumLayer(network())
    with layer.run_on(open_backend("noisy:fake_manila", shots=100)):
        assert layer.differentiable_engine() is None
        values = layer(rows())
        with pytest.raises(CircuitError, match="precision=0"):
            values.sum().backward()


def test_mitigated_values_are_not_differentiated():
    layer = QuantumLayer(network())
    with layer.run_on(open_backend("noisy:fake_manila", precision=0, mitigation="zne")):
        assert layer.differentiable_engine() is None


def test_a_circuit_too_large_is_refused_before_it_is_compiled(monkeypatch):
    inputs = ParameterVector("x", 12)
    circuit = QuantumCircuit(12)
    for qubit in range(12):
        circuit.ry(inputs[qubit], qubit)
    circuit.cx(range(11), range(1, 12))
    layer = QuantumLayer(make_qnn(circuit, list(inputs), []))
    backend = open_backend("noisy:fake_torino", precision=0)
    monkeypatch.setattr(type(backend.compiler), "isa", lambda *_: pytest.fail("it was compiled"))
    with layer.run_on(backend), pytest.raises(CapacityError, match=r"12 qubits.*at most 10"):
        layer(torch.zeros(1, 12))


def test_a_wide_circuit_with_local_observables_trains_under_device_noise():
    inputs = ParameterVector("x", 12)
    circuit = QuantumCircuit(12)
    for qubit in range(12):
        circuit.ry(inputs[qubit], qubit)
    circuit.cx(range(0, 12, 2), range(1, 12, 2))
    layer = QuantumLayer(make_qnn(circuit, list(inputs), []))
    rows = torch.rand(2, 12, dtype=torch.float64, requires_grad=True)
    backend = open_backend("noisy:fake_torino", precision=0, optimization_level=0)
    with layer.run_on(backend):
        values = layer(rows)
        values.sum().backward()
        direct = backend.estimator().run(
            [(circuit, layer.neural_network.observables[5], rows[0].detach())]
        )
    ideal = rows.detach().cos()
    ideal[:, 1::2] = ideal[:, 1::2] * ideal[:, ::2]
    assert 1e-3 < float((values.detach() - ideal).abs().max()) < 0.5
    assert rows.grad.abs().min() > 0
    assert direct.result()[0].data.evs == pytest.approx(values[0, 5].item(), abs=1e-10)


def test_a_network_of_its_own_isa_circuit_trains_on_a_noisy_torch_estimator():
    from qvlm_qiskit.noise_models import parse_parametric

    angles = ParameterVector("a", 2)
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(angles[0], 0)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.rz(angles[1], 0)
    circuit.sx(0)
    estimator = TorchEstimator(
        noise_model=parse_parametric("depolarizing(0.1)"), dtype="complex128"
    )
    layer = QuantumLayer(make_qnn(circuit, [angles[0]], [angles[1]], estimator=estimator))
    inputs = torch.tensor([[0.3], [1.2]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, inputs)
    through = layer.evaluate_rows(inputs.detach().numpy(), layer.weight.detach().double().numpy())
    np.testing.assert_allclose(layer(inputs).detach().numpy(), through, atol=1e-7)
