import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    QuantumLayer,
    TorchEstimator,
    amplitude_angles,
    amplitudes_from_angles,
    make_qnn,
    z_observables,
)
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

SIZES = [1, 2, 3, 4, 5]


def prepared(features):
    """The amplitudes that the gate's definition really prepares, by Qiskit."""
    angles = amplitude_angles(torch.as_tensor(features, dtype=torch.float64))
    gate = AmplitudeEncoding(angles.tolist())
    return Statevector(gate.definition).data


def normalised(features):
    return np.asarray(features) / np.linalg.norm(features)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("seed", range(4))
def test_the_definition_prepares_the_features(n, seed):
    features = np.random.default_rng([n, seed]).normal(size=2**n) * 7
    np.testing.assert_allclose(prepared(features), normalised(features), atol=1e-10)


def special_vectors(n):
    size = 2**n
    rng = np.random.default_rng(n)
    sparse = np.where(rng.random(size) < 0.4, rng.normal(size=size), 0.0)
    sparse[-1] = -1.0
    return {
        "sparse": sparse,
        "negative": -rng.random(size) - 0.1,
        "alternating": (-1.0) ** np.arange(size),
        "first": np.eye(size)[0],
        "minus first": -np.eye(size)[0],
        "last": np.eye(size)[-1],
        "minus last": -np.eye(size)[-1],
        "upper half": np.where(np.arange(size) < size // 2, 0.0, 1.0),
        "tiny": rng.normal(size=size) * 1e-12,
        "huge": rng.normal(size=size) * 1e12,
        "wide range": np.logspace(-8, 4, size),
    }


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", special_vectors(1))
def test_the_definition_prepares_special_vectors(n, name):
    features = special_vectors(n)[name]
    np.testing.assert_allclose(prepared(features), normalised(features), atol=1e-10)


@pytest.mark.parametrize("n", SIZES)
def test_an_all_zero_vector_prepares_the_basis_state_zero(n):
    np.testing.assert_allclose(prepared(np.zeros(2**n)), np.eye(2**n)[0], atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_the_definition_has_the_documented_gates(n):
    counts = AmplitudeEncoding([0.0] * (2**n - 1)).definition.count_ops()
    assert counts.get("ry") == 2**n - 1
    assert counts.get("cx", 0) == 2**n - 2
    assert set(counts) <= {"ry", "cx"}


@pytest.mark.parametrize("count", [0, 2, 4, 5, 6, 8])
def test_a_number_of_angles_that_fits_no_qubits_is_refused(count):
    with pytest.raises(ValueError, match=str(count)):
        AmplitudeEncoding([0.0] * count)


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 6), (4, 0)])
def test_features_that_are_no_power_of_two_are_refused(shape):
    with pytest.raises(ValueError, match=str(shape[-1])):
        amplitude_angles(torch.ones(shape))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", special_vectors(1))
def test_amplitudes_come_back_from_the_angles(n, name):
    features = special_vectors(n)[name]
    back = amplitudes_from_angles(amplitude_angles(torch.as_tensor(features)))
    np.testing.assert_allclose(back.numpy(), normalised(features), atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_any_angles_give_what_the_gate_prepares(n):
    angles = np.random.default_rng(n).uniform(-9, 9, 2**n - 1)
    expected = Statevector(AmplitudeEncoding(list(angles)).definition).data
    amplitudes = amplitudes_from_angles(torch.as_tensor(angles))
    np.testing.assert_allclose(amplitudes.numpy(), expected, atol=1e-12)
    assert float(amplitudes.norm()) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(8,), (3, 8), (2, 3, 8), (0, 8), (1, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_leading_shapes_and_dtypes_are_kept(shape, dtype):
    features = torch.randn(shape, dtype=dtype)
    angles = amplitude_angles(features)
    assert angles.shape == (*shape[:-1], 7)
    assert angles.dtype == dtype
    back = amplitudes_from_angles(angles)
    assert back.shape == shape
    assert back.dtype == dtype
    flat = amplitude_angles(features.reshape(-1, 8)).reshape(angles.shape)
    torch.testing.assert_close(flat, angles, rtol=0, atol=0)


def test_only_the_direction_is_encoded():
    features = torch.randn(5, 16, dtype=torch.float64)
    torch.testing.assert_close(amplitude_angles(3.7 * features), amplitude_angles(features))


def test_single_precision_is_accurate():
    features = torch.randn(64, 32)
    back = amplitudes_from_angles(amplitude_angles(features))
    expected = features / features.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(back, expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("scale", [1e-40, 1e-25, 1e-15, 1e15, 1e25, 1e37])
def test_single_precision_features_may_have_any_scale(scale):
    features = torch.rand(16, 8, generator=torch.Generator().manual_seed(1)) + 0.1
    expected = features / features.norm(dim=-1, keepdim=True)
    back = amplitudes_from_angles(amplitude_angles(features * scale))
    tolerance = 1e-2 if scale == 1e-40 else 1e-5  # subnormal numbers have few digits
    torch.testing.assert_close(back, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradcheck_of_both_directions(n):
    torch.manual_seed(n)
    features = torch.randn(2, 2**n, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(amplitude_angles, (features,))
    angles = torch.randn(2, 2**n - 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(amplitudes_from_angles, (angles,))


def test_the_round_trip_has_the_gradient_of_normalisation():
    torch.manual_seed(3)
    features = torch.randn(3, 16, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(3, 16, dtype=torch.float64)
    (amplitudes_from_angles(amplitude_angles(features)) * direction).sum().backward()
    expected = torch.func.grad(lambda f: (f / f.norm(dim=-1, keepdim=True) * direction).sum())(
        features.detach()
    )
    torch.testing.assert_close(features.grad, expected)


EMPTY_BRANCHES = {
    "everything": [0.0] * 8,
    "a pair": [0.0, 0.0, 1.0, -2.0, 0.5, 1.5, 0.3, -0.7],
    "a half": [0.0, 0.0, 0.0, 0.0, 1.0, -2.0, 0.5, 1.5],
    "all but one": [0.0, 0.0, 0.0, 0.0, 0.0, -2.0, 0.0, 0.0],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", EMPTY_BRANCHES)
def test_the_gradient_is_finite_and_zero_where_a_branch_is_empty(name, dtype):
    features = torch.tensor(EMPTY_BRANCHES[name], dtype=dtype, requires_grad=True)
    weights = torch.arange(1.0, 8.0, dtype=dtype)
    (amplitude_angles(features) * weights).sum().backward()
    assert torch.isfinite(features.grad).all()
    pairs = features.detach().unflatten(-1, (4, 2))
    empty = (pairs == 0).all(-1)
    assert not features.grad.unflatten(-1, (4, 2))[empty].any()


@pytest.mark.parametrize("n", [1, 2])
def test_an_all_zero_vector_gets_no_gradient(n):
    features = torch.zeros(2**n, requires_grad=True)
    amplitudes_from_angles(amplitude_angles(features)).sum().backward()
    assert not features.grad.any()


def test_training_works_after_a_first_call_in_inference_mode():
    # a size that no other test uses: what is remembered per size is then made in this mode
    with torch.inference_mode():
        amplitudes_from_angles(amplitude_angles(torch.randn(2, 256)))
    features = torch.randn(2, 256, requires_grad=True)
    amplitudes_from_angles(amplitude_angles(features)).square().sum().backward()
    assert torch.isfinite(features.grad).all()


def paulis(n):
    rng = np.random.default_rng(n)
    return [SparsePauliOp("".join(rng.choice(list("IXYZ"), n))) for _ in range(8)]


def at_the_start(circuit, gate):
    circuit.append(gate, [0, 1, 2])


def in_other_order(circuit, gate):
    circuit.append(gate, [2, 0, 1])


def behind_other_gates(circuit, gate):
    circuit.h(0)
    circuit.ry(0.3, 1)
    circuit.cx(0, 2)
    circuit.append(gate, [0, 1, 2])


def on_some_qubits(circuit, gate):
    circuit.append(gate, [1, 3, 0])
    circuit.rx(0.8, 2)
    circuit.cx(2, 3)


def behind_a_gate_on_another_qubit(circuit, gate):
    circuit.h(3)
    circuit.append(gate, [0, 1, 2])
    circuit.cx(3, 1)


def twice(circuit, gate):
    circuit.append(gate, [0, 1, 2])
    circuit.append(gate, [0, 1, 2])


def in_a_composite(circuit, gate):
    inner = QuantumCircuit(3)
    inner.append(gate, [0, 1, 2])
    circuit.append(inner.to_gate(), [2, 1, 0])


def inverted(circuit, gate):
    circuit.h([0, 1, 2])
    circuit.append(gate.inverse(), [0, 1, 2])


PLACES = [
    at_the_start,
    in_other_order,
    behind_other_gates,
    on_some_qubits,
    behind_a_gate_on_another_qubit,
    twice,
    in_a_composite,
    inverted,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.__name__)
def test_the_gate_is_exact_wherever_it_stands(place, engine, twin):
    angles = ParameterVector("a", 7)
    circuit = QuantumCircuit(4)
    place(circuit, AmplitudeEncoding(list(angles)))
    circuit.ry(0.4, 0)
    rows = amplitude_angles(torch.randn(3, 8, dtype=torch.float64)).numpy()
    expected = twin(circuit, paulis(4), rows, list(angles))
    np.testing.assert_allclose(engine(circuit, paulis(4), rows, list(angles)), expected, atol=1e-10)


@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.__name__)
def test_the_gate_has_the_right_gradient_wherever_it_stands(place, twin_jacobian):
    angles = ParameterVector("a", 7)
    circuit = QuantumCircuit(4)
    place(circuit, AmplitudeEncoding(list(angles)))
    circuit.ry(0.4, 0)
    engine = StatevectorEngine(compile_circuit(circuit, list(angles)), paulis(4), 7)
    row = torch.linspace(-2, 2, 7, dtype=torch.float64)
    none = torch.zeros(0, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda r: engine.expectations(r[None], none)[0], row
    )
    expected = twin_jacobian(circuit, paulis(4), row.numpy(), list(angles))
    np.testing.assert_allclose(jacobian.numpy(), expected, atol=1e-6)


P = ParameterVector("p", 5)
FILLINGS = {
    "the first parameters": [P[0], P[1], P[2]],
    "the last parameters": [P[2], P[3], P[4]],
    "parameters in the middle": [P[1], P[2], P[3]],
    "reversed": [P[2], P[1], P[0]],
    "scattered": [P[3], P[0], P[4]],
    "one twice": [P[1], P[1], P[2]],
    "one everywhere": [P[2], P[2], P[2]],
    "numbers": [0.3, -1.2, 2.0],
    "numbers and parameters": [P[4], 0.3, P[0]],
    "affine expressions": [2 * P[1], P[0] - P[4] / 2, P[3] + 0.4],
    "other expressions": [P[0] * P[3], P[1].sin(), P[4] ** 2],
}


def filled(name):
    circuit = QuantumCircuit(2)
    circuit.append(AmplitudeEncoding(FILLINGS[name]), [0, 1])
    circuit.rx(P[4], 0)
    circuit.cx(0, 1)
    circuit.rz(P[0], 1)
    circuit.h(1)
    return circuit


@pytest.mark.parametrize("num_batched", [0, 1, 3, 4, 5])
@pytest.mark.parametrize("name", FILLINGS)
def test_anything_may_stand_in_the_gate(name, num_batched, engine, twin):
    size = 3 if num_batched else 1
    rows = np.random.default_rng(1).uniform(-2, 2, (size, 5))
    rows[:, num_batched:] = rows[0, num_batched:]
    np.testing.assert_allclose(
        engine(filled(name), paulis(2), rows, list(P), num_batched),
        twin(filled(name), paulis(2), rows, list(P)),
        atol=1e-10,
    )


@pytest.mark.parametrize("num_batched", [0, 3, 5])
@pytest.mark.parametrize("name", FILLINGS)
def test_anything_in_the_gate_has_its_gradient(name, num_batched, twin_jacobian):
    engine = StatevectorEngine(compile_circuit(filled(name), list(P)), paulis(2), num_batched)
    row = torch.linspace(-1.4, 1.9, 5, dtype=torch.float64)
    blocks = torch.autograd.functional.jacobian(
        lambda x, w: engine.expectations(x[None], w)[0], (row[:num_batched], row[num_batched:])
    )
    expected = twin_jacobian(filled(name), paulis(2), row.numpy(), list(P))
    np.testing.assert_allclose(torch.cat(blocks, -1).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("level", [0, 1, 3])
def test_transpiled_for_a_device_it_still_prepares_the_features(level, engine):
    angles = ParameterVector("a", 7)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(angles)), [0, 1, 2])
    backend = GenericBackendV2(5, coupling_map=[[i, i + 1] for i in range(4)], seed=11)
    isa = transpile(circuit, backend, optimization_level=level, seed_transpiler=2)
    assert "amplitude_encoding" not in isa.count_ops()
    rows = amplitude_angles(torch.randn(3, 8, dtype=torch.float64)).numpy()
    mapped = [o.apply_layout(isa.layout) for o in paulis(3)]
    np.testing.assert_allclose(
        engine(isa, mapped, rows, list(angles)),
        engine(circuit, paulis(3), rows, list(angles)),
        atol=1e-10,
    )


@pytest.mark.parametrize("estimator", [StatevectorEstimator(), TorchEstimator(dtype="complex128")])
def test_a_network_with_the_gate_reads_the_features_on_every_estimator(estimator):
    n = 3
    angles, w = ParameterVector("a", 2**n - 1), ParameterVector("w", n)
    circuit = QuantumCircuit(n)
    circuit.append(AmplitudeEncoding(list(angles)), range(n))
    for qubit in range(n):
        circuit.rx(w[qubit], qubit)
    network = make_qnn(circuit, list(angles), list(w), estimator=estimator)
    network._default_precision = 0.0
    layer = QuantumLayer(network, initial_weights=np.zeros(n))
    features = torch.randn(4, 2**n, dtype=torch.float64)
    weights = features**2 / (features**2).sum(-1, keepdim=True)
    bits = torch.arange(2**n)[:, None] >> torch.arange(n) & 1
    expected = weights @ (1.0 - 2 * bits).double()
    torch.testing.assert_close(layer(amplitude_angles(features)), expected, atol=1e-10, rtol=0)


def test_gradients_through_the_gate_agree_with_the_parameter_shift_rule():
    n = 2
    angles, w = ParameterVector("a", 2**n - 1), ParameterVector("w", n)
    circuit = QuantumCircuit(n)
    circuit.append(AmplitudeEncoding(list(angles)), range(n))
    for qubit in range(n):
        circuit.rx(w[qubit], qubit)
    circuit.cx(0, 1)
    start = torch.randn(3, 2**n, dtype=torch.float64)
    gradients = []
    for estimator in (TorchEstimator(dtype="complex128"), StatevectorEstimator()):
        layer = QuantumLayer(
            make_qnn(circuit, list(angles), list(w), z_observables(n), estimator),
            initial_weights=np.array([0.4, -1.1]),
        ).double()
        layer.neural_network._default_precision = 0.0
        features = start.clone().requires_grad_()
        (layer(amplitude_angles(features)) * torch.tensor([1.0, -2.0])).sum().backward()
        gradients.append((features.grad, layer.weight.grad))
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-9, rtol=0)
