"""What blocks around one circuit say about themselves, and that it is so."""

from dataclasses import asdict

import pytest
import torch

from qvlm_qiskit.blocks import (
    BLOCK_KINDS,
    ENCODINGS,
    CircuitConfig,
    PAQMConfig,
    QCNNConfig,
    build_block,
)
from qvlm_qiskit.blocks.block import GRID
from qvlm_qiskit.blocks.circuit_block import NormalisedLinear
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import TorchEstimator

SMALL = {"num_qubits": 2, "num_layers": 1}


class Counting(TorchEstimator):
    """Exact, and counts the rows it is asked."""

    def __init__(self):
        super().__init__()
        self.rows = 0

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.rows += sum(pub[2].shape[-1] for pub in pubs)
        return super().run(pubs, precision=precision)


def test_the_two_blocks_differ_in_their_sizes_by_default():
    assert asdict(QCNNConfig()) == {**asdict(CircuitConfig()), "num_qubits": 12}
    assert asdict(PAQMConfig()) == {**asdict(CircuitConfig()), "num_qubits": 6}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["qcnn", "paqm"])
def test_it_asks_for_as_many_rows_as_it_says(name, encoding):
    block = build_block(name, 8, {**SMALL, "encoding": encoding, "pooling": 1})
    (layer,) = block.layers.values()
    counting = Counting()
    given = (torch.randn(1, 5, 8), torch.arange(5)[None])[: 1 if name == "qcnn" else 2]
    with layer.run_on(counting), torch.no_grad():
        block(*given)
    assert counting.rows == 5 * block.rows_per_token


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["qcnn", "paqm"])
def test_what_it_says_about_its_angles_is_there(name, encoding):
    block = build_block(name, 8, {**SMALL, "encoding": encoding})
    assert block.angle_grid == GRID
    kind = torch.nn.Linear if encoding == "amplitude" else NormalisedLinear
    assert [type(block.get_submodule(n)) for n in block.angle_maps] == [kind]
    layers = {n for part in block.circuits for n in block.layers if n.startswith(f"{part}.")}
    assert layers == set(block.layers)


FORMS = [
    {"num_qubits": n, "encoding": encoding, "bond": bond, "pooling": pooling}
    for n, pooling in [(1, 0), (2, 1), (4, 0), (4, 1), (5, 3)]
    for encoding, bond in [("amplitude", 2), ("angle", 2), ("re-upload", 2), ("mps", 2), ("mps", 4)]
    if encoding != "mps" or bond <= 2 ** (n // 2)
]


@pytest.mark.parametrize("name", ["qcnn", "paqm"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form.values())))
def test_all_kinds_have_the_same_maps_gate_and_number_of_parameters(parameter_count, name, form):
    blocks = {kind: build_block(name, 8, {**form, "kind": kind}) for kind in BLOCK_KINDS}
    assert len({parameter_count(block) for block in blocks.values()}) == 1
    around = {
        kind: {n: p.shape for n, p in block.named_parameters() if not n.startswith("core.")}
        for kind, block in blocks.items()
    }
    assert around["quantum"] == around["classical"] == around["frozen"]
    trained = {k: sum(p.requires_grad for p in b.parameters()) for k, b in blocks.items()}
    circuit = len(blocks["quantum"].circuit_parameters())
    assert trained["frozen"] == trained["quantum"] - circuit


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", BLOCK_KINDS)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
def test_embeddings_of_any_size_have_finite_values_and_gradients(kind, encoding, scale):
    torch.manual_seed(0)
    block = build_block("qcnn", 8, {**SMALL, "kind": kind, "encoding": encoding, "pooling": 1})
    patches = (scale * torch.randn(2, 3, 8)).requires_grad_(True)
    values = block(patches)
    values.square().sum().backward()
    for tensor in (values, patches.grad, *(p.grad for p in block.parameters() if p.requires_grad)):
        assert tensor.isfinite().all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_embeddings_that_are_no_numbers_are_refused(encoding):
    block = build_block("qcnn", 8, {**SMALL, "encoding": encoding})
    for fault in (torch.nan, torch.inf):
        patches = torch.ones(1, 2, 8)
        patches[0, 1, 3] = fault
        with pytest.raises(InputError, match="of a quantum layer hold NaN or infinity"):
            block(patches)


@pytest.mark.parametrize("encoding", ["angle", "re-upload", "mps"])
def test_the_size_of_an_embedding_does_not_turn_its_angles(encoding):
    torch.manual_seed(1)
    block = build_block("qcnn", 8, {**SMALL, "encoding": encoding})
    patches = torch.randn(2, 3, 8)
    torch.testing.assert_close(
        block.reduce(1e4 * patches + 3e4), block.reduce(patches), atol=2e-2, rtol=0
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_every_kind_learns_in_a_few_steps(kind, encoding):
    """Sixteen patches, each with an output of its own."""
    torch.manual_seed(2)
    options = {"num_qubits": 3, "num_layers": 2, "pooling": 1, "kind": kind, "encoding": encoding}
    block = build_block("qcnn", 8, options)
    patches, wanted = torch.randn(1, 16, 8), torch.randn(1, 16, 8)
    optimiser = torch.optim.Adam(block.parameters(), lr=0.03)
    losses = []
    for _ in range(15):
        loss = (block(patches) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_amplitudes_that_no_memory_holds_are_refused_in_one_line():
    says = r"40 qubits have 2\^40 amplitudes.*encoding=angle, re-upload or mps"
    with pytest.raises(InputError, match=says):
        build_block("qcnn", 8, {"num_qubits": 40})
    assert build_block("qcnn", 8, {"num_qubits": 40, "encoding": "mps"}).reduce.out_features == 155
