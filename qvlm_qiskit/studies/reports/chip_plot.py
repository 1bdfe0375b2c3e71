"""A device's map: qubits and couplers in the colours of their errors, tiles outlined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from qvlm_qiskit.studies.reports.chip import Chip, Positions, positions
from qvlm_qiskit.studies.reports.plots import STYLE, as_svg

READOUT, GATES = "YlGnBu", "YlOrRd"
"""Colour maps of readout errors and of two-qubit errors."""
NOT_STATED = "#d0d0d0"
_UNIT = 33.0
"""Points between coupled qubits, which makes a row of 16 as wide as a page."""
_MARGIN = 0.75
_BARS = 74.0
"""Points below the map for both colour bars."""
_NARROWEST = 380.0
_INK = "#1c2430"


@dataclass(frozen=True)
class Scale:
    """Colours of errors, from the lowest to the highest on a logarithmic scale."""

    low: float
    high: float
    colours: ScalarMappable


def chip_plot(chip: Chip, tiles: Sequence[Mapping[str, Any]], title: str) -> str:
    """A device with its errors and the tiles of one circuit, as SVG.

    Args:
        chip: The device.
        tiles: Each with its device qubits and its estimated error, the best one first, as
            `Backend.describe` has them; its number on the map is its place in this list.
        title: Over the map.
    """
    places = positions(chip)
    with matplotlib.rc_context(STYLE):
        figure, axes, below = _figure(places)
        sets = [tuple(tile["qubits"]) for tile in tiles]
        for tile in sets:
            _outline(axes, places, chip, tile)
        gates = _couplers(axes, places, chip)
        qubits = _qubits(axes, places, chip)
        for number, tile in enumerate(sets, start=1):
            _numbered(axes, places, tile, str(number))
        axes.set_title(title, fontsize=10, loc="left")
        _bar(below[0], qubits, "readout error of a qubit")
        _bar(below[1], gates, "error of a two-qubit gate")
        return as_svg(figure, f"{title}. {_in_words(tiles)}")


def _in_words(tiles: Sequence[Mapping[str, Any]]) -> str:
    said = [
        f"tile {number}: qubits {' '.join(map(str, tile['qubits']))}"
        for number, tile in enumerate(tiles, start=1)
    ]
    return "; ".join(said) + "."


def _figure(places: Positions) -> tuple[Figure, Axes, list[Axes]]:
    """A page whose unit of length is `_UNIT` points, and room for two colour bars below."""
    width, height = places.max(axis=0) + 2 * _MARGIN
    wide = max(width * _UNIT, _NARROWEST)
    high = height * _UNIT + _BARS + 20
    figure = Figure(figsize=(wide / 72, high / 72))
    axes = figure.add_axes((0, _BARS / high, 1, height * _UNIT / high))
    extra = (wide / _UNIT - width) / 2
    axes.set_xlim(-_MARGIN - extra, width - _MARGIN + extra)
    axes.set_ylim(height - _MARGIN, -_MARGIN)
    axes.set_axis_off()
    room = (0.06, 0.56)
    bars = [figure.add_axes((left, 40 / high, 0.38, 9 / high)) for left in room]
    return figure, axes, bars


def _outline(axes: Axes, places: Positions, chip: Chip, tile: Sequence[int]) -> None:
    """A closed line around a tile: a broad stroke, and a narrower one in white over it."""
    own = set(tile)
    lines = [places[[a, b]] for a, b in chip.couplers if a in own and b in own]
    for order, (colour, width) in enumerate(((_INK, 25.0), ("#e9edf3", 22.0))):
        axes.add_collection(
            LineCollection(lines, colors=colour, linewidths=width, capstyle="round", zorder=order)
        )
        x, y = places[list(tile)].T
        axes.scatter(x, y, s=width**2, color=colour, linewidths=0, zorder=order)


def _couplers(axes: Axes, places: Positions, chip: Chip) -> Scale:
    scale = _scale(chip.couplers.values(), GATES)
    lines = [places[list(pair)] for pair in chip.couplers]
    colours = [_colour(scale, error) for error in chip.couplers.values()]
    axes.add_collection(LineCollection(lines, colors=_INK, linewidths=5.5, zorder=2))
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=4.5, zorder=3))
    return scale


def _qubits(axes: Axes, places: Positions, chip: Chip) -> Scale:
    scale = _scale(chip.readout, READOUT)
    colours = [_colour(scale, error) for error in chip.readout]
    xs, ys = places.T
    axes.scatter(xs, ys, s=16.0**2, c=colours, edgecolors=_INK, linewidths=0.6, zorder=4)
    for qubit, (x, y) in enumerate(places):
        ink = "white" if _dark(colours[qubit]) else _INK
        axes.text(
            x, y, str(qubit), fontsize=6.5, color=ink, ha="center", va="center_baseline", zorder=5
        )
    return scale


def _numbered(axes: Axes, places: Positions, tile: Sequence[int], number: str) -> None:
    """The number beside the tile's highest qubit, the left one of several."""
    x, y = min((places[qubit] for qubit in tile), key=lambda place: (place[1], place[0]))
    axes.text(
        x - 0.4, y - 0.42, number, fontsize=8.5, fontweight="bold", color="white", ha="center",
        va="center", zorder=6,
        bbox={"boxstyle": "round,pad=0.18", "facecolor": _INK, "edgecolor": "none"},
    )  # fmt: skip


def _scale(errors: Iterable[float | None], name: str) -> Scale:
    """Colours of errors on a logarithmic scale, errors of 0 and 1 aside: nothing works there."""
    known = [error for error in errors if error is not None and 0 < error < 1]
    low, high = (min(known), max(known)) if known else (1e-3, 1e-1)
    if low == high:
        low, high = low / 2, min(high * 2, 1.0)
    return Scale(low, high, ScalarMappable(LogNorm(low, high), matplotlib.colormaps[name]))


def _colour(scale: Scale, error: float | None) -> tuple[float, ...] | str:
    if error is None:
        return NOT_STATED
    if error >= 1:
        return "black"
    return tuple(scale.colours.to_rgba(np.array([max(error, scale.low)]))[0])


def _dark(colour: tuple[float, ...] | str) -> bool:
    red, green, blue = matplotlib.colors.to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.5


def _bar(axes: Axes, scale: Scale, label: str) -> None:
    axes.figure.colorbar(scale.colours, cax=axes, orientation="horizontal")
    decades = math.log10(scale.high / scale.low)
    steps = (1, 2, 3, 5, 7) if decades < 1 else (1, 2, 5) if decades < 2 else (1, 3)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label, fontsize=9)
    axes.grid(False)
    axes.tick_params(labelsize=8)
