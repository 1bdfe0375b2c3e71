import pytest
import torch
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.blocks import BLOCK_KINDS, QCNN, QCNNConfig, build_block

WIDTH = 6


def block(kind="quantum", n=2, layers=1, **options):
    torch.manual_seed(0)
    return QCNN(QCNNConfig(num_qubits=n, num_layers=layers, kind=kind, **options), WIDTH)


@pytest.mark.parametrize(("n", "layers"), [(1, 1), (2, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("gate", ["scalar", "channel"])
def test_all_kinds_have_equally_many_parameters(parameter_count, n, layers, gate):
    counts = {kind: parameter_count(block(kind, n, layers, gate=gate)) for kind in BLOCK_KINDS}
    linear = WIDTH * 2**n + 2**n + n * WIDTH + WIDTH
    expected = linear + 3 * n * layers + (WIDTH if gate == "channel" else 1)
    assert counts == dict.fromkeys(BLOCK_KINDS, expected)


def test_the_defaults_are_the_sources_sizes():
    config = QCNNConfig()
    assert (config.num_qubits, config.num_layers, config.kind) == (12, 2, "quantum")


@pytest.mark.parametrize("kind", BLOCK_KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 4), (3, 2)])
def test_the_shape_is_kept(kind, shape):
    patches = torch.randn(*shape, WIDTH)
    assert block(kind)(patches).shape == patches.shape


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_a_patch_is_the_same_wherever_it_is(kind):
    qcnn = block(kind, n=3)
    patches = torch.randn(2, 5, WIDTH)
    order = torch.tensor([4, 2, 0, 1, 3])
    torch.testing.assert_close(qcnn(patches[:, order]), qcnn(patches)[:, order])
    torch.testing.assert_close(qcnn(patches)[0, :1], qcnn(patches[:1, :1])[0])


def test_the_circuit_has_no_positional_gates(instructions_of):
    n = 3
    circuit = block(n=n, layers=2).core.layer.neural_network.circuit
    names = [name for name, *_ in instructions_of(circuit)]
    assert names == ["amplitude_encoding", *(["ry", "rz", "rx"] * n + ["cx"] * n) * 2]


@pytest.mark.parametrize("kind", ["quantum", "classical"])
def test_every_parameter_gets_a_finite_gradient(kind):
    qcnn = block(kind, n=3, layers=2)
    patches = torch.randn(2, 4, WIDTH, requires_grad=True)
    (qcnn(patches) * torch.randn(2, 4, WIDTH)).sum().backward()
    for name, parameter in qcnn.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name
    assert patches.grad.any()


def test_frozen_trains_everything_but_its_circuit():
    qcnn = block("frozen", n=3)
    qcnn(torch.randn(2, 4, WIDTH)).square().sum().backward()
    without = [name for name, p in qcnn.named_parameters() if p.grad is None]
    assert without == ["core.layer.weight"]


def test_the_output_is_the_gate_between_circuit_and_patches():
    qcnn = block(n=2)
    patches = torch.randn(1, 3, WIDTH)
    quantum = qcnn.expand(qcnn.core(qcnn.reduce(patches)))
    torch.testing.assert_close(qcnn(patches), qcnn.gate(quantum, patches))


def test_another_exact_estimator_gives_the_same():
    qcnn = block(n=2, layers=2)
    patches = torch.randn(1, 3, WIDTH)
    exact = qcnn(patches).detach()
    with qcnn.core.layer.run_on(StatevectorEstimator()), torch.no_grad():
        torch.testing.assert_close(qcnn(patches), exact, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_the_sources_size_runs_and_trains():
    qcnn = QCNN(QCNNConfig(), 32)
    patches = torch.randn(1, 2, 32, requires_grad=True)
    qcnn(patches).square().sum().backward()
    assert torch.isfinite(patches.grad).all()
    assert qcnn.core.layer.weight.grad.any()


def test_options_stored_before_there_were_encodings_are_those_of_amplitudes():
    stored = {"num_qubits": 3, "num_layers": 1, "kind": "quantum", "gate": "scalar"}
    config = build_block("qcnn", WIDTH, stored).config
    assert (config.encoding, config.bond, config.pooling) == ("amplitude", 2, 0)


def test_pooling_reads_the_qubits_that_are_left():
    qcnn = block(n=5, layers=2, pooling=2)
    read = [
        str(one.paulis[0])[::-1].index("Z") for one in qcnn.core.layer.neural_network.observables
    ]
    assert read == [0, 4]
    assert qcnn.expand.in_features == 2


def test_pooling_takes_two_gates_for_each_pair_and_a_layer_between():
    plain, pooled = block(n=4), block(n=4, pooling=2)
    gates = [one.core.layer.neural_network.circuit.count_ops()["cx"] for one in (plain, pooled)]
    assert gates == [4, 4 + 2 * 2 + 2 + 2 * 1]  # pairs, a ring of the two that are left, a pair
