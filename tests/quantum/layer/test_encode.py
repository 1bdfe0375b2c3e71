"""Features that the circuit loads as amplitudes."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    QuantumLayer,
    TorchEstimator,
    amplitude_angles,
    make_qnn,
    variational_layer,
)
from tests.quantum.layer.networks import ESTIMATORS, network_on


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("positions", [0, 3])
def test_encode_is_the_layer_on_amplitude_angles(dtype, positions):
    amplitudes, angles, weights = (
        ParameterVector("a", 7),
        ParameterVector("p", positions),
        ParameterVector("w", 9),
    )
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(amplitudes)), range(3))
    for qubit, angle in enumerate(angles):
        circuit.rz(angle, qubit)
    variational_layer(circuit, weights)
    layer = QuantumLayer(make_qnn(circuit, [*amplitudes, *angles], list(weights)))
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(2, 5, 8, generator=generator, dtype=dtype)
    features[0, 0] = 0
    features[0, 1, 2:6] = 0
    features.requires_grad_()
    rest = torch.randn(2, 5, positions, generator=generator, dtype=dtype) if positions else None
    inputs = (
        amplitude_angles(features)
        if rest is None
        else torch.cat([amplitude_angles(features), rest], dim=-1)
    )
    # a random weighting of the outputs, so that every entry of the Jacobian counts
    cotangent = torch.randn(2, 5, 3, generator=generator, dtype=dtype)
    found = torch.autograd.grad(
        (layer.encode(features, rest) * cotangent).sum(), [features, layer.weight]
    )
    wanted = torch.autograd.grad((layer(inputs) * cotangent).sum(), [features, layer.weight])
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(layer.encode(features, rest), layer(inputs), atol=tolerance, rtol=0)
    # at an empty branch the tree has no gradient, the plain normalisation has
    compared = torch.ones(2, 5, 8, dtype=torch.bool)
    compared[0, 1, 2:6] = False
    torch.testing.assert_close(found[0][compared], wanted[0][compared], atol=tolerance, rtol=0)
    # float32 weights collect the gradients of both precisions
    torch.testing.assert_close(found[1], wanted[1], atol=1e-5, rtol=0)
    with pytest.raises(InputError):
        layer.encode(features[..., :4])
    with layer.run_on(TorchEstimator(dtype="complex128")), torch.no_grad():
        torch.testing.assert_close(
            layer.encode(features, rest), layer(inputs), atol=tolerance, rtol=0
        )


def loading_layer(kind, gate=lambda a: list(a), rest=lambda circuit, a: None):
    """Two qubits; ``gate`` says what stands in the encoding, ``rest`` what follows it."""
    a, w = ParameterVector("a", 3), ParameterVector("w", 1)
    circuit = QuantumCircuit(2)
    angles = gate(a)
    if angles is not None:
        circuit.append(AmplitudeEncoding(angles), [0, 1])
    rest(circuit, a)
    circuit.rx(w[0], 0)
    circuit.cx(0, 1)
    return QuantumLayer(network_on(circuit, kind, inputs=a, weights=w), np.array([0.3])).double()


def angle_again(circuit, a):
    circuit.rx(a[0], 1)


def same_or_refused(layer, features):
    """What :meth:`encode` may do: the same as the layer on the angles, or say no."""
    try:
        values = layer.encode(features)
    except InputError:
        return
    torch.testing.assert_close(values, layer(amplitude_angles(features)), atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_encode_notices_a_loaded_angle_that_is_used_again(kind):
    layer = loading_layer(kind, rest=angle_again)
    same_or_refused(layer, torch.randn(4, 4, dtype=torch.float64))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize(
    "gate",
    [lambda a: list(a)[::-1], lambda a: [2 * a[0], a[1], a[2]], lambda a: [a[0], a[0], a[2]]],
)
def test_encode_notices_angles_that_are_not_the_inputs_in_order(kind, gate):
    def the_rest(circuit, a):
        for angle in a:
            circuit.ry(angle, 0)

    layer = loading_layer(kind, gate, the_rest)
    same_or_refused(layer, torch.randn(4, 4, dtype=torch.float64))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_encode_refuses_a_circuit_without_an_encoding_on_every_estimator(kind):
    def plain(circuit, a):
        for angle in a:
            circuit.ry(angle, 0)

    layer = loading_layer(kind, lambda a: None, plain)
    with pytest.raises(InputError, match="amplitudes"):
        layer.encode(torch.randn(4, 4, dtype=torch.float64))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize(
    "features", [torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 8), torch.zeros(2, 3)]
)
def test_encode_refuses_features_of_the_wrong_shape_or_kind(kind, features):
    with pytest.raises(InputError):
        loading_layer(kind).encode(features)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 0, 4), (2, 3, 4)])
def test_encode_keeps_leading_shapes(shape):
    values = loading_layer("fast").encode(torch.randn(shape, dtype=torch.float64))
    assert values.shape == (*shape[:-1], 2)


def test_encode_runs_the_circuit_on_another_estimator(counting):
    layer = loading_layer("fast")
    features = torch.randn(5, 4, dtype=torch.float64)
    exact = layer.encode(features).detach()
    with layer.run_on(counting), torch.no_grad():
        torch.testing.assert_close(layer.encode(features), exact, atol=1e-5, rtol=0)
    assert len(counting.calls) == 1
    circuit = counting.calls[0][0][0][0]
    assert "amplitude_encoding" in circuit.count_ops()


def test_encode_has_the_gradient_of_the_normalised_features():
    layer = loading_layer("fast")
    features = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer.encode, (features,))
