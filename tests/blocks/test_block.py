"""What every block says about itself."""

import pytest

from qvlm_qiskit.blocks import PAQM, PLACES, QCNN, build_block

SMALL = {"num_qubits": 2, "num_layers": 1}


@pytest.mark.parametrize(("block", "place"), [(QCNN, "vision"), (PAQM, "text")])
def test_a_block_says_its_place(block, place):
    assert block.place == place
    assert PLACES[place].every_token == (place == "text")


@pytest.mark.parametrize(
    ("name", "kind", "rounds"),
    [
        ("qcnn", "quantum", 1),
        ("paqm", "quantum", 7),
        ("paqm", "frozen", 7),
        ("paqm", "classical", 0),
    ],
)
def test_text_blocks_are_asked_again_for_every_token(name, kind, rounds):
    assert build_block(name, 8, {**SMALL, "kind": kind}).rounds(7) == rounds


def test_a_frozen_block_stays_frozen_when_asked_again():
    block = build_block("paqm", 8, {**SMALL, "kind": "frozen"})
    (layer,) = block.layers.values()
    layer.weight.requires_grad_(True)
    block.freeze()
    assert not layer.weight.requires_grad
