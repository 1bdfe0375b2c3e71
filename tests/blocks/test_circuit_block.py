"""What blocks around one circuit say about themselves, and that it is so."""

from dataclasses import asdict

import pytest
import torch

from qvlm_qiskit.blocks import CircuitConfig, PAQMConfig, QCNNConfig, build_block
from qvlm_qiskit.blocks.block import GRID
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


@pytest.mark.parametrize("name", ["qcnn", "paqm"])
def test_it_asks_for_as_many_rows_as_it_says(name):
    block = build_block(name, 8, SMALL)
    (layer,) = block.layers.values()
    counting = Counting()
    given = (torch.randn(1, 5, 8), torch.arange(5)[None])[: 1 if name == "qcnn" else 2]
    with layer.run_on(counting), torch.no_grad():
        block(*given)
    assert counting.rows == 5 * block.rows_per_token


@pytest.mark.parametrize("name", ["qcnn", "paqm"])
def test_what_it_says_about_its_angles_is_there(name):
    block = build_block(name, 8, SMALL)
    assert block.angle_grid == GRID
    assert [type(block.get_submodule(n)) for n in block.angle_maps] == [torch.nn.Linear]
    layers = {n for part in block.circuits for n in block.layers if n.startswith(f"{part}.")}
    assert layers == set(block.layers)
