"""``qvlm study field``: pictures as functions of coordinates, by circuits and their twins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.grid_study import Option, Printed, Study
from qvlm_qiskit.studies.quick import SMALLEST, check_numbers
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from torch import Tensor

Row = dict[str, Any]
KINDS = ("quantum", "classical", "frozen")
PICTURES = ("china", "flower", "digits")
"""Photographs of scikit-learn, and sixteen of its digits as one picture."""
EVERY = "every picture"
LEAST = {"seeds": 1, "side": 2, "steps": 1, "learning_rate": SMALLEST}
MOST = {"side": 1024}
COLUMNS: Mapping[str, str] = {
    "key": "string", "picture": "string", "kind": "string", "seed": "int64", "psnr": "float64",
    "numbers": "int64", "seconds": "float64",
}  # fmt: skip
"""Columns of the tables, with their types as Arrow names them."""


@dataclass(frozen=True)
class FieldOptions:
    """What is fitted.

    Attributes:
        pictures: Of :data:`PICTURES`, or image files.
        kinds: Of :data:`KINDS`.
        seeds: Of the first weights.
        side: Pixels of a side, to which pictures are scaled.
        steps: Of Adam, on all pixels at once.
        learning_rate: At the beginning; it falls to zero as a cosine.
        qubits: Of the circuit.
        layers: Of the circuit.
        hidden: Width of the network in front of it.
    """

    pictures: Annotated[
        tuple[str, ...],
        Option(f"Separated by semicolons, of {', '.join(PICTURES)}, or image files."),
    ] = PICTURES
    kinds: Annotated[
        tuple[str, ...], Option(f"Separated by semicolons, of {', '.join(KINDS)}.")
    ] = KINDS
    seeds: Annotated[int, Option("Seeds of the first weights.")] = 5
    side: Annotated[int, Option("Pixels of a side, to which pictures are scaled.")] = 32
    steps: Annotated[int, Option("Steps of Adam, on all pixels at once.")] = 1000
    learning_rate: Annotated[float, Option("At the beginning; it falls to zero.")] = 5e-3
    qubits: Annotated[int, Option("Qubits of the circuit.")] = 6
    layers: Annotated[int, Option("Layers of the circuit.")] = 4
    hidden: Annotated[int, Option("Width of the network in front of it.")] = 32

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            InputError: A number out of range, or a list that is empty or says something twice.
            UnknownNameError: An unknown kind.
        """
        check_types(self)
        for kind in self.kinds:
            if kind not in KINDS:
                raise UnknownNameError("kind", kind, KINDS)
        for name in ("pictures", "kinds"):
            check_distinct(name, getattr(self, name))
        check_numbers(self, LEAST, MOST)
        from qvlm_qiskit.blocks.zoo.visual_field import VisualFieldConfig

        VisualFieldConfig(qubits=self.qubits, repetitions=self.layers, hidden=self.hidden)


@dataclass(frozen=True)
class Cell:
    """One fit.

    Attributes:
        picture: A name or a file.
        content: Digest of its pixels.
        kind: Of :data:`KINDS`.
        seed: Of the first weights.
    """

    picture: str
    content: str
    kind: str
    seed: int


def pixels_of(picture: str, side: int) -> Tensor:
    """Colours of a picture ``(side², 3)`` from 0 to 1, row by row.

    Raises:
        UnknownNameError: Neither a known name nor a file.
        InputError: A file that is no image.
    """
    import numpy as np
    import torch
    from PIL import Image
    from sklearn.datasets import load_digits, load_sample_image

    from qvlm_qiskit.basics.images import open_image

    if picture == "digits":
        tiles = load_digits().images[:16].reshape(4, 4, 8, 8).transpose(0, 2, 1, 3)
        image = Image.fromarray(np.uint8(tiles.reshape(32, 32) * 255 / 16))
    elif picture in PICTURES:
        image = Image.fromarray(load_sample_image(f"{picture}.jpg"))
    elif Path(picture).is_file():
        image = open_image(Path(picture))
    else:
        raise UnknownNameError("picture", picture, PICTURES, "Or name an image file.")
    scaled = image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(scaled, np.float32).reshape(-1, 3) / 255)


def places_of(side: int) -> Tensor:
    """Coordinates of all pixels' middles ``(side², 2)``, row by row.

    From edge to edge they would begin and end at -1 and 1, where all sines and cosines agree: the
    first and the last row could have no different colours.
    """
    import torch

    middles = (2 * torch.arange(side) + 1) / side - 1
    return torch.stack(torch.meshgrid(middles, middles, indexing="ij"), dim=-1).flatten(0, 1)


@study
class FieldStudy(Study[FieldOptions, Cell]):
    """Pictures fitted as functions of coordinates by a quantum visual field.

    Beside it a network of as many numbers and the same field with a random circuit: peak
    signal-to-noise ratios over pictures and seeds.
    """

    name = "field"
    title = "Pictures as quantum visual fields"
    options_type = FieldOptions
    template = "field.html.j2"
    grows = frozenset({"pictures", "kinds", "seeds"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every kind on every picture with every seed."""
        import hashlib

        contents = {
            picture: hashlib.sha256(
                pixels_of(picture, self.options.side).numpy().tobytes()
            ).hexdigest()[:16]
            for picture in self.options.pictures
        }
        return [
            Cell(picture, content, kind, seed)
            for seed in range(self.options.seeds)
            for picture, content in contents.items()
            for kind in self.options.kinds
        ]

    def identity(self, cell: Cell) -> Row:
        """The pixels, wherever they lie, the kind and the seed."""
        return {"content": cell.content, "kind": cell.kind, "seed": cell.seed}

    def compute(self, cell: Cell) -> Row:
        """Fit one picture; of the first seed the row holds what it has become."""
        wanted = pixels_of(cell.picture, self.options.side)
        fitted, numbers = _fitted(cell, self.options, wanted)
        error = float((fitted - wanted).square().mean())
        row = {
            "picture": Path(cell.picture).name, "kind": cell.kind, "seed": cell.seed,
            "psnr": -10 * math.log10(error), "numbers": numbers,
        }  # fmt: skip
        if cell.seed == 0:
            side = self.options.side
            row |= {"shown": _image(fitted, side), "original": _image(wanted, side)}
        return row

    def summarise(self, rows: Sequence[Row]) -> Row:
        """Means over seeds by picture and over all, and differences from the quantum field.

        Differences are paired by seed; more is better.
        """
        from qvlm_qiskit.studies.intervals import differences, means

        everywhere = [*rows, *({**row, "picture": EVERY} for row in rows)]
        by, of = ("picture", "kind"), ("psnr",)
        return {
            "points": means(everywhere, by, of),
            "from_quantum": differences(everywhere, by, of, {"kind": "quantum"}),
            "numbers": {row["kind"]: row["numbers"] for row in rows},
        }

    def label(self, row: Row) -> str:
        """The picture, the kind and its ratio."""
        return f"{row['picture']}, {row['kind']}: {row['psnr']:.2f} dB"

    def flat(self, row: Row) -> Row:
        """One column per number; pictures stay in ``rows.jsonl``."""
        return {name: row[name] for name in self.columns}

    def context(self, results: Mapping[str, Any]) -> Row:
        """Lines of the table, and pictures of the first seed."""
        shown: dict[str, dict[str, str]] = {}
        for row in (row for row in results["rows"] if "shown" in row):
            beside = shown.setdefault(row["picture"], {"original": row["original"]})
            beside[row["kind"]] = row["shown"]
        return {**results, "lines": _lines(results), "shown": shown}

    def printed(self, results: Mapping[str, Any]) -> Printed:
        """Ratios by picture and kind."""
        title = f"{results['grid']['steps']} steps; PSNR in dB, 95 % intervals over seeds"
        return Printed(title, _HEAD, [line[: len(_HEAD)] for line in _lines(results)])


_HEAD = ("picture", "kind", ">PSNR", ">less quantum")


def _lines(results: Mapping[str, Any]) -> list[list[str]]:
    from qvlm_qiskit.studies.intervals import verdict
    from qvlm_qiskit.studies.reports.templates import interval

    found = {(one["picture"], one["kind"]): one["psnr"] for one in results["from_quantum"]}
    lines = []
    for point in results["points"]:
        change = found.get((point["picture"], point["kind"]))
        lines.append(
            [
                point["picture"],
                point["kind"],
                interval(point["psnr"], 1, "", digits=2),
                "–" if change is None else interval(change, 1, "", sign=True, digits=2),
                "–" if change is None else verdict(change),
            ]
        )
    return lines


def _fitted(cell: Cell, options: FieldOptions, wanted: Tensor) -> tuple[Tensor, int]:
    """Colours after the training, and how many numbers were trained."""
    import torch

    from qvlm_qiskit.blocks.zoo import build

    torch.manual_seed(cell.seed)
    field = build(
        "visual-field", kind=cell.kind, qubits=options.qubits, repetitions=options.layers,
        hidden=options.hidden,
    )  # fmt: skip
    grid = places_of(options.side)
    learned = [parameter for parameter in field.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(learned, options.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    for _ in range(options.steps):
        optimiser.zero_grad()
        (field(grid) - wanted).square().mean().backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return field(grid), sum(parameter.numel() for parameter in learned)


def _image(colours: Tensor, side: int) -> str:
    import numpy as np
    from PIL import Image

    from qvlm_qiskit.studies.reports.pictures import data_uri

    levels = (255 * colours.clamp(0, 1)).round().numpy().astype(np.uint8)
    return data_uri(Image.fromarray(levels.reshape(side, side, 3)))
