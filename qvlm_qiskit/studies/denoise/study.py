"""``qvlm study denoise``: pictures cleaned through a quantum latent space, twins and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.denoise.options import NOISY, DenoiseOptions
from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from qvlm_qiskit.studies.denoise.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "kind": "string", "sigma": "float64", "seed": "int64", "mse": "float64",
    "ssim": "float64", "numbers": "int64", "latent_numbers": "int64", "seconds": "float64",
}  # fmt: skip
"""Columns of the tables, with their types as Arrow names them."""


@study
class DenoiseStudy(Study[DenoiseOptions, "Cell"]):
    """Noisy pictures cleaned by an autoencoder with a QAOA circuit as its latent space.

    Beside it the same autoencoder with the circuit's twin, with a random circuit and without any,
    linear filters, and the noisy pictures themselves: squared errors and structural similarity.
    """

    name = "denoise"
    title = "Denoising through a quantum latent space"
    options_type = DenoiseOptions
    template = "denoise.html.j2"
    grows = frozenset({"kinds", "sigmas", "seeds"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every kind for each noise and seed."""
        from qvlm_qiskit.studies.denoise.cells import all_cells

        return all_cells(self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open the pictures once."""
        from qvlm_qiskit.studies.denoise.pictures import open_pictures

        open_pictures(self.options, 0)

    def compute(self, cell: Cell) -> Row:
        """Train one autoencoder, or fit one filter."""
        from qvlm_qiskit.studies.denoise.cells import compute_cell

        return compute_cell(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Means and differences."""
        from qvlm_qiskit.studies.denoise.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The kind and its error."""
        return f"{row['kind']} at {row['sigma']:g}: {row['mse']:.4f}"

    def flat(self, row: Row) -> dict[str, Any]:
        """One column per number; pictures stay in ``rows.jsonl``."""
        return {name: row[name] for name in self.columns}

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results, the plot, and pictures by noise."""
        from qvlm_qiskit.studies.denoise.plots import denoise_plot
        from qvlm_qiskit.studies.denoise.summary import found_at, said

        sigmas = list(dict.fromkeys(point["sigma"] for point in results["points"]))
        kinds = [NOISY, *results["grid"]["kinds"]]
        shown = {(row["kind"], row["sigma"]): row for row in results["rows"] if "shown" in row}
        return {
            **results,
            "plot": denoise_plot(results["points"]),
            "sigmas": sigmas,
            "kinds": kinds,
            "shown": shown,
            "at": found_at,
            "said": said,
            "interval": _interval,
        }

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """For each noise, every kind, and whether its error is less than the quantum one's."""
        sigmas = dict.fromkeys(point["sigma"] for point in results["points"])
        return [
            Printed(f"noise {sigma:g}: 95 % intervals over seeds", _HEAD, _lines(results, sigma))
            for sigma in sigmas
        ]


def _interval(entry: Mapping[str, Any], factor: float, digits: int, sign: bool = False) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(entry, factor, "", digits=digits, sign=sign)


_HEAD = ("kind", ">MSE × 1000", ">SSIM", "than quantum")


def _lines(results: Mapping[str, Any], sigma: float) -> list[list[str]]:
    from qvlm_qiskit.studies.denoise.summary import found_at, said
    from qvlm_qiskit.studies.reports.templates import interval

    lines = []
    for point in (one for one in results["points"] if one["sigma"] == sigma):
        quantum = found_at(results["from_quantum"], point["kind"], sigma)
        lines.append(
            [
                point["kind"],
                interval(point["mse"], 1000, "", scope=False),
                interval(point["ssim"], 1, "", digits=2, scope=False),
                "–" if quantum is None else said(quantum["mse"]),
            ]
        )
    return lines
