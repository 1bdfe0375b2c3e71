"""What every block says about itself."""

import pytest

from qvlm_qiskit.blocks import ENCODINGS, PAQM, PLACES, QCNN, build_block

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


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_frozen_block_stays_frozen_when_asked_again(encoding):
    block = build_block("paqm", 8, {**SMALL, "kind": "frozen", "encoding": encoding})
    circuit = {id(parameter) for parameter in block.circuit_parameters()}
    block.requires_grad_(True)
    block.freeze()
    left = {id(parameter) for parameter in block.parameters() if not parameter.requires_grad}
    assert left == circuit


def test_scales_and_offsets_belong_to_the_circuit():
    block = build_block("qcnn", 8, {**SMALL, "encoding": "re-upload"})
    names = {id(parameter): name for name, parameter in block.named_parameters()}
    found = [names[id(parameter)] for parameter in block.circuit_parameters()]
    assert found == ["core.layer.weight", "core.angles.scale", "core.angles.offset"]
