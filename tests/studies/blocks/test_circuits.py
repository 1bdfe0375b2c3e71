"""Drawings of the blocks' circuits: pictures where there is what draws them, else letters."""

import re
import xml.etree.ElementTree as ET

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qvlm_qiskit.recipes import BLOCKS
from qvlm_qiskit.studies.blocks import circuits
from qvlm_qiskit.studies.blocks.circuits import circuit_of, drawing


def letters(block, monkeypatch):
    monkeypatch.setattr(circuits, "draws_pictures", lambda: False)
    found = drawing(block, 4)
    assert found.svg == ""
    return found.letters.splitlines()


@pytest.mark.parametrize("block", ["qcnn(num_qubits=3)", "hamiltonian-embedding", "qkan-lstm"])
def test_letters_are_short(block, monkeypatch):
    lines = letters(block, monkeypatch)
    assert 3 <= len(lines) < 60 and max(map(len, lines)) <= 100


def test_a_block_that_is_gone_says_so(monkeypatch):
    assert letters("of-another-package", monkeypatch) == ["The block is not installed any more."]


def test_a_block_of_tokens_reads_as_many_as_there_are_patches():
    assert circuit_of("doubly-stochastic", 4).num_qubits == 6
    assert circuit_of("doubly-stochastic", 16).num_qubits == 10
    assert circuit_of("token-circuit(tokens=2)", 16).num_qubits == 2


def test_long_names_of_angles_are_their_first_letters():
    circuit = QuantumCircuit(1)
    for angle in (*ParameterVector("position", 2), Parameter("w"), Parameter("x")):
        circuit.ry(angle, 0)
    short = circuits._with_short_names(circuit)
    assert [item.params[0].name for item in short.data] == ["p[0]", "p[1]", "w", "x"]
    circuit.rx(Parameter("previous"), 0)
    assert {p.name for p in circuits._with_short_names(circuit).parameters} == {
        "position[0]", "position[1]", "previous", "w", "x",
    }  # fmt: skip


@pytest.mark.parametrize("block", ["qcnn(num_qubits=4)", "token-circuit", "qkan"])
def test_a_picture_is_small_says_what_it_shows_and_fits_a_page(block):
    pytest.importorskip("pylatexenc")
    found = drawing(block, 4)
    root = ET.fromstring(found.svg)
    assert found.letters == "" and len(found.svg) < 60_000
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith(f"Circuit of {block}: ")
    width, height = (float(root.get(name).removesuffix("pt")) for name in ("width", "height"))
    assert 72 < width <= 72 * circuits.WIDTH and 0 < height < 1000
    assert not re.search(r"(src|href)=[\"']http", found.svg)


@pytest.mark.slow
def test_pictures_of_all_blocks_are_less_than_two_megabytes():
    pytest.importorskip("pylatexenc")
    assert sum(len(drawing(block, 4).svg) for block in BLOCKS.own) < 2e6
