"""``qvlm study search``: circuits found in learned representations, and at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.search.options import SearchOptions
from qvlm_qiskit.studies.sectioned import Section, SectionedStudy

if TYPE_CHECKING:
    from qvlm_qiskit.studies.search.cells import Cell, Part

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "task": "string", "label": "string", "method": "string", "space": "string",
    "seed": "int64", "best": "float64", "median": "float64", "ties": "float64", "rank": "int64",
}  # fmt: skip
REGRET_NOTE = (
    "The value of the pool's best circuit less that of the best one that a search asked for; "
    "every search asks for the same number. Means over searches with 95 % intervals; differences "
    "are paired by seed, below 0 is better than random."
)
SPACE_NOTE = (
    "Searches in the embedding of a trained encoder less those in that of an encoder with its "
    "initial values: below 0 training the representation was worth something."
)
POOL_NOTE = (
    "Every circuit of the pool was trained once. Where many circuits are as good as the best one, "
    "a random search finds one too."
)


@study
class SearchStudy(SectionedStudy[SearchOptions, "Cell"]):
    """Circuit search in learned representations, against random search.

    Random circuits are trained once for every task; a graph autoencoder embeds them, and REINFORCE
    and Bayesian search look for the best with as many evaluations as a random search has.
    """

    name = "search"
    title = "Searching for circuits in a learned representation"
    intro = (
        "Random circuits are graphs of gates, embedded by a variational graph autoencoder (after "
        "arXiv:2401.11576) and searched by REINFORCE and by Bayesian optimisation."
    )
    options_type = SearchOptions
    grows = frozenset({"tasks", "seeds"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every search."""
        from qvlm_qiskit.studies.search.cells import all_cells

        return all_cells(self.options)

    def missing_models(self) -> Sequence[Part]:
        """Tables and embeddings that are not there yet."""
        from qvlm_qiskit.studies.search.cells import all_parts

        return [one for one in all_parts(self.options) if not one.path(self.folder).exists()]

    def train(self, model: Part) -> None:
        """Compute a table or an embedding."""
        from qvlm_qiskit.studies.search.cells import make_part

        make_part(model, self.options, self.folder)

    def compute(self, cell: Cell) -> Row:
        """What a search found."""
        from qvlm_qiskit.studies.search.cells import compute

        return compute(cell, self.options, self.folder)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Regrets, differences, and how well graphs are reconstructed."""
        from qvlm_qiskit.studies.search.cells import reconstruction
        from qvlm_qiskit.studies.search.summary import summarise

        return {**summarise(rows), "reconstruction": reconstruction(self.options, self.folder)}

    def label(self, row: Row) -> str:
        """The search and its regret."""
        return f"{row['task']} {row['label']}: {row['regret']['100%']:.3f}"

    def sections(self, results: Mapping[str, Any]) -> Sequence[Section]:
        """Regrets, what training the representation is worth, and the pools."""
        from qvlm_qiskit.studies.reports.curves import Axis, curves_plot

        points = results["points"]
        plot = curves_plot(
            points, Axis("asked", "share of the budget"), Axis("regret", "regret"), "label", "task"
        )
        pool = f"{POOL_NOTE} Kinds of held-out nodes that are reconstructed: " + ", ".join(
            f"{share:.0%}" for share in results["reconstruction"]
        )
        return [
            Section(Printed("regret of searches", _REGRET, _regrets(results)), REGRET_NOTE, plot),
            Section(Printed("trained less untrained", _SPACE, _spaces(results)), SPACE_NOTE),
            Section(Printed("pools", _POOL, _pools(results)), pool),
        ]


_REGRET = ("task", "search", ">regret [95 %]", ">from random [95 %]")
_SPACE = ("task", "search", ">difference of regrets [95 %]")
_POOL = ("task", ">best", ">median", ">circuits as good as the best")


def _regrets(results: Mapping[str, Any]) -> list[list[str]]:
    against = {(one["task"], one["label"]): one["regret"] for one in results["differences"]}
    found = []
    for one in results["points"]:
        place = one["task"], one["label"]
        if one["asked"] == 1:
            less = _text(against[place]) if place in against else ""
            found.append([*place, _text(one["regret"]), less])
    return found


def _spaces(results: Mapping[str, Any]) -> list[list[str]]:
    return [[one["task"], one["method"], _text(one["regret"])] for one in results["representation"]]


def _pools(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [one["task"], f"{one['best']:.4f}", f"{one['median']:.4f}", f"{one['ties']:.1%}"]
        for one in results["pools"]
    ]


def _text(found: Mapping[str, Any]) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(found, 1, "", digits=3, scope=False)
