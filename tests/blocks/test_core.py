import math

import numpy as np
import pytest
import torch
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.blocks import BLOCK_KINDS, build_core
from qvlm_qiskit.blocks.cores.classical import ClassicalCore
from qvlm_qiskit.blocks.cores.quantum import QuantumCore
from qvlm_qiskit.blocks.cores.shape import ENCODINGS, CoreShape
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import AmplitudeEncoding, TorchEstimator

SIZES = [(1, 1), (2, 1), (3, 2), (4, 3)]


def trainable_numbers(num_qubits, num_layers, positional):
    """What the source's circuit has: RY, RZ, RX per qubit, and with positions an RY bias."""
    return num_layers * num_qubits * (4 if positional else 3)


@pytest.mark.parametrize("kind", BLOCK_KINDS)
@pytest.mark.parametrize("positional", [False, True])
@pytest.mark.parametrize(("n", "layers"), SIZES)
def test_circuit_and_twin_have_equally_many_parameters(
    parameter_count, kind, positional, n, layers
):
    core = build_core(kind, n, layers, positional)
    assert parameter_count(core) == trainable_numbers(n, layers, positional)


def test_the_kinds_are_the_circuit_the_twin_and_the_frozen_circuit():
    kinds = {kind: build_core(kind, 2, 1, positional=False) for kind in BLOCK_KINDS}
    assert isinstance(kinds["quantum"], QuantumCore)
    assert isinstance(kinds["frozen"], QuantumCore)
    assert isinstance(kinds["classical"], ClassicalCore)
    trainable = {k: all(p.requires_grad for p in core.parameters()) for k, core in kinds.items()}
    assert trainable == {"quantum": True, "classical": True, "frozen": False}


@pytest.mark.parametrize("kind", BLOCK_KINDS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_is_refused_by_circuit_and_twin_alike(kind, encoding, wrong):
    core = build_core(kind, 3, 2, positional=True, encoding=encoding)
    for place in range(2):
        given = [torch.randn(2, core.shape.features), torch.randn(2, 3)]
        given[place][0, 0] = wrong
        with pytest.raises(InputError, match="hold NaN or infinity"):
            core(*given)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(UnknownNameError, match="'quantum'"):
        build_core("quantun", 2, 1, positional=False)


@pytest.mark.parametrize("positional", [False, True])
def test_the_circuit_is_encoding_then_positional_and_variational_layers(
    instructions_of, positional
):
    n, layers = 3, 2
    network = build_core("quantum", n, layers, positional).layer.neural_network
    circuit = network.circuit
    inputs, weights = network.input_params, network.weight_params
    assert len(inputs) == 2**n - 1 + (n if positional else 0)
    expected = [("amplitude_encoding", tuple(range(n)), inputs[: 2**n - 1])]
    size = (4 if positional else 3) * n
    used = []
    for index in range(layers):
        layer = weights[size * index : size * (index + 1)]
        if positional:
            for q in range(n):
                expected.append(("rz", (q,), [inputs[2**n - 1 + q]]))
                expected.append(("ry", (q,), [layer[3 * n + q]]))
        for q in range(n):
            for name, angle in zip(("ry", "rz", "rx"), layer[3 * q : 3 * q + 3], strict=True):
                expected.append((name, (q,), [angle]))
        expected.extend(("cx", (q, (q + 1) % n), []) for q in range(n))
        used.extend(layer)
    assert instructions_of(circuit) == expected
    assert isinstance(circuit.data[0].operation, AmplitudeEncoding)
    assert used == weights
    assert list(network.observables) == [
        SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], num_qubits=n) for q in range(n)
    ]


@pytest.mark.parametrize("positional", [False, True])
def test_the_quantum_core_is_exact_on_an_independent_estimator(positional):
    torch.manual_seed(0)
    core = build_core("quantum", 2, 2, positional).double()
    features = torch.randn(3, 4, dtype=torch.float64)
    positions = torch.randn(3, 2, dtype=torch.float64) if positional else None
    exact = core(features, positions).detach()
    with core.layer.run_on(StatevectorEstimator()), torch.no_grad():
        torch.testing.assert_close(core(features, positions), exact, atol=1e-5, rtol=0)
    assert type(core.layer.active_estimator) is TorchEstimator


@pytest.mark.parametrize("kind", BLOCK_KINDS)
@pytest.mark.parametrize("positional", [False, True])
def test_cores_keep_leading_shapes_and_stay_between_minus_one_and_one(kind, positional):
    torch.manual_seed(1)
    core = build_core(kind, 3, 2, positional)
    for shape in [(), (5,), (2, 5), (2, 3, 5)]:
        features = 10 * torch.randn(*shape, 8)
        positions = 4 * torch.randn(*shape, 3) if positional else None
        values = core(features, positions)
        assert values.shape == (*shape, 3)
        assert float(values.detach().abs().max()) <= 1 + 1e-6


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_positions_are_broadcast_over_the_batch(kind):
    torch.manual_seed(2)
    core = build_core(kind, 2, 1, positional=True)
    features, positions = torch.randn(3, 4, 4), torch.randn(1, 4, 2)
    torch.testing.assert_close(
        core(features, positions), core(features, positions.expand(3, 4, 2)), rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_only_the_direction_of_the_features_counts(kind):
    torch.manual_seed(3)
    core = build_core(kind, 2, 2, positional=False)
    features = torch.randn(5, 4)
    torch.testing.assert_close(core(1000 * features), core(features), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_zero_features_give_finite_values_and_gradients(kind):
    core = build_core(kind, 2, 2, positional=True)
    features = torch.zeros(2, 4, requires_grad=True)
    values = core(features, torch.ones(2, 2))
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_every_trainable_number_can_matter(kind):
    torch.manual_seed(4)
    core = build_core(kind, 3, 2, positional=True)
    features = torch.randn(6, 8)
    (core(features, torch.randn(6, 3)) * torch.randn(6, 3)).sum().backward()
    gradient = next(iter(core.parameters())).grad
    assert torch.isfinite(gradient).all()
    assert (gradient != 0).float().mean() > 0.9


def test_the_twin_reads_what_the_circuit_would_read_without_gates():
    core = ClassicalCore(CoreShape(2, 1))
    with torch.no_grad():
        core.weight.zero_()
        core.weight[0, 0] = 1.0
    features = torch.tensor([[3.0, 0.0, 0.0, 4.0], [0.0, 1.0, 1.0, 0.0]])
    z = torch.tensor([[(9 - 16) / 25, (9 - 16) / 25], [0.0, 0.0]])
    torch.testing.assert_close(core(features), torch.tanh(z))
    order = torch.tensor([[1.0, 2.0, 0.0, 0.0]])
    torch.testing.assert_close(core(order), torch.tanh(torch.tensor([[(1 - 4) / 5, 1.0]])))


def test_the_twins_layers_are_the_documented_formula():
    torch.manual_seed(5)
    core = ClassicalCore(CoreShape(3, 2, positional=True))
    features, positions = torch.randn(8).double(), torch.randn(3).double()
    core.double()
    weights = (features**2 / (features**2).sum()).tolist()
    hidden = [sum(w * (-1) ** (k >> i & 1) for k, w in enumerate(weights)) for i in range(3)]
    for a, b, c, d in core.weight.detach().tolist():
        hidden = [
            math.tanh(
                a[i] * hidden[i] + b[i] * hidden[i - 1] + c[i] + d[i] * math.sin(positions[i])
            )
            for i in range(3)
        ]
    np.testing.assert_allclose(core(features, positions).detach().numpy(), hidden, atol=1e-12)


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_half_precision_features_give_half_precision_values(kind):
    torch.manual_seed(6)
    core = build_core(kind, 2, 1, positional=True)
    features, positions = torch.randn(5, 4), torch.randn(5, 2)
    full = core(features, positions)
    half = core(features.bfloat16(), positions)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), full, atol=0.03, rtol=0)
