"""The circuits of blocks as drawings: by Qiskit's drawers, as SVG text or in letters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.blocks.registry import build_block, find_block, options_of, read_block
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.quantum import quantum_layers
from qvlm_qiskit.studies.reports.plots import STYLE, as_svg

COLUMNS = 100
"""Letters of a line, before a drawing goes on below."""
FOLD = 14
"""Layers of gates of a line."""
WIDTH = 8.4
"""Inches of a page, as of a plot."""
SCALE = 0.6
"""Of the drawer's own size, where there is room."""
DRAWN = {"name": "bw", "subfontsize": 9, "displaycolor": {"h": ("#c9d9f0", "#000000")}}
"""Black on white, as plots are, with angles that can be read; frames of decisions have the colour
of H."""
UNIT = 0.8361111
"""Inches of a layer at the drawer's own size."""


def circuit_of(block: str, length: int) -> QuantumCircuit | None:
    """The first circuit of a block, with one repetition of its layers; None if it is gone.

    Gates of more than three angles are boxes without them, and names of angles are short.

    Args:
        block: As the user writes it.
        length: Patches or words: the tokens of a block that reads some and says no number of them.
    """
    if (found := block_class(block)) is None:
        return None
    name, said = read_block(block)
    smallest = {"repetitions": 1, "num_layers": 1}
    known = options_of(found)
    options = {"tokens": length, **said, **smallest}
    built = build_block(name, 8, {one: options[one] for one in options if one in known})
    layer = next(iter(quantum_layers(built).values()))
    return _with_short_names(_without_long_lists(layer.neural_network.circuit))


@dataclass(frozen=True)
class Drawing:
    """A circuit's drawing: a picture, or letters where nothing draws one.

    Attributes:
        svg: SVG text; may be empty.
        letters: Where there is no picture.
    """

    svg: str
    letters: str


def drawing(block: str, length: int) -> Drawing:
    """What the page shows of a block's first circuit.

    Args:
        block: As the user writes it.
        length: Patches of a picture, or words of a question.
    """
    circuit = circuit_of(block, length)
    if circuit is None:
        return Drawing("", "The block is not installed any more.")
    if not draws_pictures():
        return Drawing("", in_letters(circuit))
    return Drawing(as_picture(circuit, described(block, circuit)), "")


def described(block: str, circuit: QuantumCircuit) -> str:
    """A circuit in a sentence: its qubits, and its gates in the order of their number."""
    gates = ", ".join(f"{count} {name}" for name, count in circuit.count_ops().items())
    return f"Circuit of {block}: {counted(circuit.num_qubits, 'qubit')}; {gates}."


def block_class(block: str) -> Any:
    """A block's class by its name; None of another distribution that is gone."""
    try:
        return find_block(read_block(block)[0])
    except UnknownNameError:
        return None


def draws_pictures() -> bool:
    """Whether the package that Qiskit's matplotlib drawer needs is installed."""
    return find_spec("pylatexenc") is not None


def in_letters(circuit: QuantumCircuit) -> str:
    """A drawing of letters, at most `COLUMNS` wide."""
    return str(circuit.draw("text", fold=COLUMNS, idle_wires=False, initial_state=False))


def as_picture(circuit: QuantumCircuit, alternative: str) -> str:
    """A drawing as SVG text, at most a page wide.

    Args:
        circuit: What is drawn.
        alternative: What it shows, for those who don't see it.
    """
    with matplotlib.rc_context({**STYLE, "font.size": 8}):
        wide, high = _units(_drawn(circuit, WIDTH, WIDTH))
        width = min(WIDTH, SCALE * UNIT * wide)
        figure = _drawn(circuit, width, width * high / wide)
        return as_svg(figure, alternative)


def _drawn(circuit: QuantumCircuit, width: float, height: float) -> Figure:
    """A figure of so many inches that the drawer has filled: it scales by the width."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    circuit.draw("mpl", ax=axes, fold=FOLD, idle_wires=False, style=DRAWN)
    return figure


def _units(figure: Figure) -> tuple[float, float]:
    """How wide and how high a drawing is, in layers."""
    axes = figure.axes[0]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    return right - left, top - bottom


def _with_short_names(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with first letters in the place of names, where no other name begins so."""
    names = {one.name.partition("[")[0] for one in circuit.parameters}
    letters = Counter(name[0] for name in names)
    short = {
        one: Parameter(one.name.replace(name, name[0], 1))
        for one in circuit.parameters
        if len(name := one.name.partition("[")[0]) > 1 and letters[name[0]] == 1
    }
    return circuit.assign_parameters(short) if short else circuit


def _without_long_lists(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with boxes in the place of gates that have more than three angles."""
    shown = circuit.copy_empty_like()
    shown.global_phase = 0
    for item in circuit.data:
        gate = item.operation
        short = len(gate.params) <= 3
        box = gate if short else Gate(gate.name, gate.num_qubits, [])
        shown.append(box, item.qubits, item.clbits)
    return shown
