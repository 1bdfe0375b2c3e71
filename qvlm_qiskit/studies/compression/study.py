"""``qvlm study compression``: matrix-product operators against low rank."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.compression.options import TINY, CompressionOptions
from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.sectioned import Section, SectionedStudy

if TYPE_CHECKING:
    from qvlm_qiskit.studies.compression.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "method": "string", "bond": "int64", "seed": "int64", "before": "int64",
    "after": "int64", "share": "float64", "layer_share": "float64", "error": "float64",
}  # fmt: skip
SIZE_NOTE = (
    "Parameters of the whole model and of the layers that were compressed, and the mean relative "
    "error of their weights. Low rank has at most as many parameters as the matrix product."
)
LOSS_NOTE = (
    "Mean cross entropy of held-out text in nats per token, after so many steps on other text of "
    "the kind, with 95 % intervals over orders of that text. The whole model gets the same steps: "
    "what it gains is the text's, not the healing's. The excess is over its loss then."
)
DIFFERENCE_NOTE = (
    "Loss of the matrix product less that of low rank, paired by seed; below 0 is better. Before "
    "healing all seeds are one model."
)


@study
class CompressionStudy(SectionedStudy[CompressionOptions, "Cell"]):
    """Compression of a language model to matrix products, against low rank.

    Linear layers become matrix-product operators of several bond dimensions, or two matrices with
    as many parameters; the loss is measured before and after a short training.
    """

    name = "compression"
    title = "Compressing a language model: matrix products and low rank"
    intro = (
        "Linear layers of a language model are replaced by matrix-product operators (after "
        "arXiv:2401.14109) or by two matrices of a truncated singular value decomposition with as "
        "many parameters, and trained on for a few steps."
    )
    options_type = CompressionOptions
    grows = frozenset({"bonds", "seeds"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """The whole model and both ways for every bond dimension."""
        from qvlm_qiskit.studies.compression.cells import all_cells

        return all_cells(self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open the model and the text, and look for the layers."""
        from qvlm_qiskit.studies.compression.language import check_language

        check_language(self.options)

    def missing_models(self) -> Sequence[str]:
        """The small model, where it is asked for and not there yet."""
        there = (self.folder / TINY / "config.json").exists()
        return () if there or self.options.language != TINY else (TINY,)

    def train(self, model: str) -> None:
        """Train the small model on the text."""
        from qvlm_qiskit.studies.compression.language import train_tiny

        train_tiny(self.options, self.folder)

    def compute(self, cell: Cell) -> Row:
        """Compress, heal and measure."""
        from qvlm_qiskit.studies.compression.cells import compute

        return compute(cell, self.options, self.folder)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Losses, differences and sizes."""
        from qvlm_qiskit.studies.compression.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The way and its last loss."""
        return f"{row['method']} {row['bond']}: {list(row['losses'].values())[-1]:.3f}"

    def sections(self, results: Mapping[str, Any]) -> Sequence[Section]:
        """Losses, differences and sizes."""
        from qvlm_qiskit.studies.reports.curves import Axis, curves_plot

        points = [
            {**one, "panel": "whole" if not one["bond"] else f"bond {one['bond']}"}
            for one in results["points"]
        ]
        plot = curves_plot(
            points, Axis("steps", "healing steps"), Axis("loss", "held-out loss, nats per token"),
            "method", "panel",
        )  # fmt: skip
        return [
            Section(Printed("held-out loss", _LOSS, _losses(results)), LOSS_NOTE, plot),
            Section(Printed("matrix product less low rank, nats", _LESS, _less(results)),
                    DIFFERENCE_NOTE),
            Section(Printed("sizes", _SIZE, _sizes(results)), SIZE_NOTE),
        ]  # fmt: skip


_LOSS = ("layers as", ">bond", ">steps", ">loss [95 %]", ">perplexity", ">excess")
_LESS = (">bond", ">steps", ">difference [95 %]")
_SIZE = ("layers as", ">bond", ">parameters", ">of all", ">of layers", ">error")


def _losses(results: Mapping[str, Any]) -> list[list[str]]:
    whole = {_place(one): one["loss"]["mean"] for one in results["against_whole"]}
    return [
        [
            one["method"],
            str(one["bond"] or ""),
            str(one["steps"]),
            _text(one["loss"]),
            f"{math.exp(min(one['loss']['mean'], 50)):,.1f}",
            f"{whole[_place(one)]:+.3f}" if _place(one) in whole else "",
        ]
        for one in results["points"]
    ]


def _place(one: Mapping[str, Any]) -> tuple[str, int, int]:
    return one["method"], one["bond"], one["steps"]


def _less(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [str(one["bond"]), str(one["steps"]), _text(one["loss"], sign=True)]
        for one in results["differences"]
    ]


def _sizes(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            one["method"],
            str(one["bond"] or ""),
            f"{one['after']:,}",
            f"{one['share']:.1%}",
            f"{one['layer_share']:.1%}",
            f"{one['error']:.3f}",
        ]
        for one in results["sizes"]
    ]


def _text(found: Mapping[str, Any], sign: bool = False) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(found, 1, "", digits=3, sign=sign, scope=False)
