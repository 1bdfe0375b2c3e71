"""What the page of the blocks' table shows besides numbers: plots, circuits, published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.backends.devices.noisy_estimator import DENSITY_QUBITS
from qvlm_qiskit.blocks.zoo.block import CoreBlock
from qvlm_qiskit.blocks.zoo.core import Published
from qvlm_qiskit.studies.blocks.circuits import block_class, drawing, draws_pictures
from qvlm_qiskit.studies.blocks.noise import FEW, MOST_QUBITS
from qvlm_qiskit.studies.blocks.plots import accuracy_against_seconds, differences_plot
from qvlm_qiskit.studies.blocks.simulation import ERROR, MOST_NUMBERS, MOST_TERMS
from qvlm_qiskit.studies.blocks.summary import AGAINST

Found = Mapping[str, Any]


def context(results: Found) -> dict[str, Any]:
    """What the template knows."""
    points = {(one["block"], one["kind"]): one for one in results["points"]}
    blocks = [{**one, "kinds": _kinds(one["block"], points)} for one in results["blocks"]]
    names = [one["block"] for one in blocks]
    return {
        **results,
        "blocks": blocks,
        "baselines": {kind: points["", kind] for kind in ("none", "cnn")},
        "against": AGAINST,
        "plots": {
            kind: differences_plot(blocks, kind, results["seen"][kind])
            for kind in ("classical", "frozen", "linear")
        },
        "costs": accuracy_against_seconds(blocks),
        "drawings": {name: drawing(name, _length(results["grid"])) for name in names},
        "pictured": draws_pictures(),
        "published": [(name, one) for name in names for one in published(name)],
        "terms": {
            "error": ERROR,
            "most": MOST_TERMS,
            "numbers": MOST_NUMBERS,
            "noisy_qubits": MOST_QUBITS,
            "density_qubits": DENSITY_QUBITS,
            "few": FEW,
        },
    }


def _length(grid: Found) -> int:
    """How many patches or words a block is given."""
    return int(grid["tokens"] if grid["reads"] == "question" else grid["grid"] ** 2)


def _kinds(block: str, points: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    return {kind: found for (name, kind), found in points.items() if name == block}


def published(block: str) -> Sequence[Published]:
    """Figures of a block's source; those of another distribution that is gone are gone too."""
    found = block_class(block)
    return found.core_class.published if found and issubclass(found, CoreBlock) else ()
