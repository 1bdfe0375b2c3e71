import xml.etree.ElementTree as ET

from qvlm_qiskit.studies.reports.chip import Chip
from qvlm_qiskit.studies.reports.chip_plot import NOT_STATED, chip_plot

LINE = Chip((0.01, 0.02, 1.0, 0.3, None), {(0, 1): 0.001, (1, 2): 1.0, (2, 3): None, (3, 4): 0.01})
TILES = [{"qubits": [1, 0], "error": 0.1}, {"qubits": [3, 4], "error": 0.2}]


def drawn(chip, tiles):
    text = chip_plot(chip, tiles, "a title")
    return text, ET.fromstring(text)


def test_every_tile_is_outlined_and_said_in_words():
    text, page = drawn(LINE, TILES)
    assert page.get("aria-label") == "a title. tile 1: qubits 1 0; tile 2: qubits 3 4."
    bare = chip_plot(LINE, [], "a title")
    assert "stroke-width: 25" not in bare
    assert text.count("stroke-width: 25; stroke-linecap: round") == len(TILES)


def test_what_is_broken_or_not_stated_has_a_colour_of_its_own():
    text, _ = drawn(LINE, TILES)
    assert text.count(f"stroke: {NOT_STATED}") == 1
    assert text.count(f"fill: {NOT_STATED}") == 1
    assert text.count("stroke: #000000; stroke-width: 4.5") == 1
    healthy = Chip((0.01,) * 5, dict.fromkeys(LINE.couplers, 0.01))
    assert NOT_STATED not in chip_plot(healthy, TILES, "a title")


def test_a_worse_qubit_has_another_colour_and_equal_input_the_same_picture():
    text, _ = drawn(LINE, TILES)
    assert chip_plot(LINE, TILES, "a title") == text
    other = Chip((0.011, *LINE.readout[1:]), LINE.couplers)
    assert chip_plot(other, TILES, "a title") != text


def test_a_device_that_states_no_errors_is_drawn_in_grey():
    text, _ = drawn(Chip((None, None), {(0, 1): None}), [{"qubits": [1]}])
    assert text.count(f"stroke: {NOT_STATED}") == 1
