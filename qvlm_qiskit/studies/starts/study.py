"""``qvlm study starts``: tensor-network, identity and random starts of circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.sectioned import Section, SectionedStudy
from qvlm_qiskit.studies.starts.options import StartsOptions

if TYPE_CHECKING:
    from qvlm_qiskit.studies.starts.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "cost": "string", "qubits": "int64", "label": "string", "start": "string",
    "bond": "int64", "seed": "int64", "parameters": "int64", "exact": "float64",
    "square": "float64", "start_error": "float64", "final_error": "float64",
    "network_error": "float64",
}  # fmt: skip
DECAY_NOTE = (
    "The mean square of the cost's derivatives over all angles and draws, which is their variance "
    "where their mean is zero; means over seeds with 95 % intervals. A factor below 1 per qubit is "
    "an exponential decay; its interval is a bootstrap over seeds. Near a minimum derivatives are "
    "small for another reason: read it beside the errors below."
)
ERROR_NOTE = (
    "(E - E₀) / |E₀| with the exact ground energy E₀: at the start, and the least that Adam "
    "reached. All starts of one width are angles of the same circuit."
)
LESS_NOTE = "Trained errors less those of random starts, paired by seed; below 0 is better."
NETWORK_NOTE = (
    "What the tensor network alone reaches on an ordinary computer, and what the trained circuit "
    "gained on it: where the gain's interval holds 0 or is below, no circuit was needed."
)


@study
class StartsStudy(SectionedStudy[StartsOptions, "Cell"]):
    """Tensor-network starts of circuits: gradients by width, and what training reaches.

    A matrix-product state is trained for an energy, written as staircases of gates on two qubits,
    and trained on as a circuit, beside gates near the identity and random ones.
    """

    name = "starts"
    title = "Where a circuit begins: tensor networks, the identity, random gates"
    intro = (
        "The same circuit, staircases of gates on neighbouring qubits, begins at a trained "
        "matrix-product state, near the identity, or at random gates (after arXiv:2208.13673). "
        "Energies are divided by the sum of the Hamiltonian's coefficients."
    )
    options_type = StartsOptions
    grows = frozenset({"costs", "starts", "qubits", "bonds", "seeds"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every start of every width, for every cost and seed."""
        from qvlm_qiskit.studies.starts.cells import all_cells

        return all_cells(self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Refuse without the extra of tensor networks."""
        from qvlm_qiskit.studies.starts.matrix_products import require_tensor_networks

        require_tensor_networks()

    def compute(self, cell: Cell) -> Row:
        """A start's gradients and its training."""
        from qvlm_qiskit.studies.starts.cells import compute

        return compute(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Means, decays and differences."""
        from qvlm_qiskit.studies.starts.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The start and its error."""
        return f"{row['cost']} {row['qubits']} {row['label']}: {row['final_error']:.2%}"

    def sections(self, results: Mapping[str, Any]) -> Sequence[Section]:
        """Gradients, errors, and the tensor networks themselves."""
        from qvlm_qiskit.studies.reports.curves import Axis, curves_plot

        points = results["points"]
        width = Axis("qubits", "qubits")
        squares = Axis("square", "mean square of ∂C/∂θ", log=True)
        errors = Axis("final_error", "relative error after training", log=True)
        decays = Printed("mean square of the gradients, by width", _DECAY, _decays(results))
        found = [
            Section(decays, DECAY_NOTE, curves_plot(points, width, squares, "label", "cost")),
            Section(
                Printed("errors in percent, at the start and after training", _ERROR,
                        _errors(results)),
                ERROR_NOTE,
                curves_plot(points, width, errors, "label", "cost"),
            ),
        ]  # fmt: skip
        if results["differences"]:
            table = Printed("errors less those of random starts, points", _LESS, _less(results))
            found.append(Section(table, LESS_NOTE))
        if results["networks"]:
            table = Printed("tensor networks alone, errors in percent", _NETWORK,
                            _networks(results))  # fmt: skip
            found.append(Section(table, NETWORK_NOTE))
        return found


_DECAY = ("cost", "start", ">least n", ">most n", ">factor per qubit")
_ERROR = ("cost", "start", ">n", ">at the start", ">trained [95 %]")
_LESS = ("cost", "start", ">n", ">difference [95 %]")
_NETWORK = ("cost", "start", ">n", ">network", ">circuit", ">gain [95 %]")


def _decays(results: Mapping[str, Any]) -> list[list[str]]:
    found = []
    for one in results["decays"]:
        own = [
            point["square"]["mean"] for point in results["points"]
            if (point["cost"], point["label"]) == (one["cost"], one["label"])
        ]  # fmt: skip
        ends = [f"{own[0]:.1e}", f"{own[-1]:.1e}"]
        found.append([one["cost"], one["label"], *ends, _interval(one, 1, 2)])
    return found


def _errors(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            *_place(one)[:2],
            str(one["qubits"]),
            f"{100 * one['start_error']['mean']:.1f}",
            _interval(one["final_error"], 100, 2),
        ]
        for one in results["points"]
    ]


def _less(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [*_place(one)[:2], str(one["qubits"]), _interval(one["final_error"], 100, 2)]
        for one in results["differences"]
    ]


def _networks(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            *_place(one)[:2],
            str(one["qubits"]),
            f"{100 * one['network_error']['mean']:.3f}",
            f"{100 * one['final_error']['mean']:.3f}",
            _interval(one["gain"], 100, 3),
        ]
        for one in results["networks"]
    ]


def _place(one: Mapping[str, Any]) -> tuple[str, str, int]:
    return one["cost"], one["label"], one["qubits"]


def _interval(found: Mapping[str, Any], factor: float, digits: int) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(found, factor, "", digits=digits, scope=False)
