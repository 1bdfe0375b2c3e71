"""What the page of the blocks' table shows besides numbers: plots, circuits, published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Gate

from qvlm_qiskit.backends.devices.noisy_estimator import DENSITY_QUBITS
from qvlm_qiskit.blocks.registry import build_block, find_block, options_of, read_block
from qvlm_qiskit.blocks.zoo.block import CoreBlock
from qvlm_qiskit.blocks.zoo.core import Published
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.quantum import quantum_layers
from qvlm_qiskit.studies.blocks.noise import FEW, MOST_QUBITS
from qvlm_qiskit.studies.blocks.plots import accuracy_against_seconds, differences_plot
from qvlm_qiskit.studies.blocks.simulation import ERROR, MOST_NUMBERS, MOST_TERMS
from qvlm_qiskit.studies.blocks.summary import AGAINST

Found = Mapping[str, Any]
COLUMNS = 100
"""Of a drawing, before it goes on below."""


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
        "drawings": {name: drawing(name) for name in names},
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


def _kinds(block: str, points: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    return {kind: found for (name, kind), found in points.items() if name == block}


def published(block: str) -> Sequence[Published]:
    """Figures of a block's source; those of another distribution that is gone are gone too."""
    found = _block_class(block)
    return found.core_class.published if found and issubclass(found, CoreBlock) else ()


def drawing(block: str) -> str:
    """The first circuit of a block in letters, with one repetition of its layers."""
    if (found := _block_class(block)) is None:
        return "The block is not installed any more."
    name, options = read_block(block)
    once: dict[str, Any] = {
        one: 1 for one in ("repetitions", "num_layers") if one in options_of(found)
    }
    built = build_block(name, 8, {**options, **once})
    layer = next(iter(quantum_layers(built).values()))
    circuit = _without_long_lists(layer.neural_network.circuit)
    return str(circuit.draw("text", fold=COLUMNS, idle_wires=False, initial_state=False))


def _without_long_lists(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with boxes in the place of gates that have more than three angles."""
    shown = circuit.copy_empty_like()
    for item in circuit.data:
        gate = item.operation
        short = len(gate.params) <= 3
        box = gate if short else Gate(gate.name, gate.num_qubits, [])
        shown.append(box, item.qubits, item.clbits)
    return shown


def _block_class(block: str) -> Any:
    try:
        return find_block(read_block(block)[0])
    except UnknownNameError:
        return None
