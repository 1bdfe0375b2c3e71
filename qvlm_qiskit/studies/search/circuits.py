"""Random circuits, and circuits as graphs: one node a gate, one edge a wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping

GATES = {"x": 0, "y": 0, "z": 0, "h": 0, "rx": 1, "ry": 1, "rz": 1, "cx": 0, "cz": 0, "u": 3,
         "swap": 0}  # fmt: skip
"""The gates by Qiskit's names, with how many angles each has; ``u`` is U3."""
PAIRS = ("cx", "cz", "swap")
KINDS = (*GATES, "start", "end")

Gate = tuple[str, tuple[int, ...]]
Plan = tuple[Gate, ...]
"""Gates with the qubits that they act on, in order."""


@dataclass(frozen=True)
class Graphs:
    """Circuits as graphs, each with a node before and one behind its gates.

    Attributes:
        features: ``(circuits, nodes, kinds + 2 * qubits)``: what a node is, its first qubit and
            its second one, each as a one among zeros.
        edges: ``(circuits, nodes, nodes)``: 1 where a wire leads from a node to a later one.
    """

    features: npt.NDArray[np.float32]
    edges: npt.NDArray[np.float32]


def random_plan(qubits: int, gates: int, depth: int, rng: np.random.Generator) -> Plan:
    """Gates drawn one after the other; one that would make the circuit too deep is drawn again.

    Args:
        qubits: n.
        gates: How many; at most ``qubits * depth``.
        depth: The most layers.
        rng: What is random.
    """
    names = list(GATES)
    found: list[Gate] = []
    layers = [0] * qubits
    while len(found) < gates:
        name = names[rng.integers(len(names))]
        count = 2 if name in PAIRS else 1
        chosen = tuple(int(q) for q in rng.choice(qubits, count, replace=False))
        layer = max(layers[q] for q in chosen) + 1
        if layer > depth:
            continue
        for qubit in chosen:
            layers[qubit] = layer
        found.append((name, chosen))
        if len(found) < gates and _is_stuck(layers, depth):
            found, layers = [], [0] * qubits
    return tuple(found)


def random_plans(qubits: int, gates: int, depth: int, count: int, seed: int) -> list[Plan]:
    """Distinct circuits."""
    rng = np.random.default_rng([qubits, gates, depth, seed])
    found: dict[Plan, None] = {}
    while len(found) < count:
        found[random_plan(qubits, gates, depth, rng)] = None
    return list(found)


def circuit_of(plan: Plan, qubits: int) -> QuantumCircuit:
    """The circuit of a plan, with a parameter for each angle, in their order."""
    known = get_standard_gate_name_mapping()
    circuit, used = QuantumCircuit(qubits), 0
    for name, chosen in plan:
        angles = [Parameter(f"t{used + k:03d}") for k in range(GATES[name])]
        used += len(angles)
        circuit.append(type(known[name])(*angles), chosen)
    return circuit


def graphs_of(plans: list[Plan], qubits: int) -> Graphs:
    """The graphs of circuits that have equally many gates."""
    nodes = len(plans[0]) + 2
    features = np.zeros((len(plans), nodes, len(KINDS) + 2 * qubits), dtype=np.float32)
    edges = np.zeros((len(plans), nodes, nodes), dtype=np.float32)
    for plan, own, beside in zip(plans, features, edges, strict=True):
        whole: list[Gate] = [("start", ()), *plan, ("end", ())]
        last = [0] * qubits
        for node, (name, chosen) in enumerate(whole):
            own[node, KINDS.index(name)] = 1
            for place, qubit in enumerate(chosen):
                own[node, len(KINDS) + place * qubits + qubit] = 1
            for qubit in chosen if chosen else range(qubits if name == "end" else 0):
                beside[last[qubit], node] = 1
                last[qubit] = node
    return Graphs(features, edges)


def _is_stuck(layers: list[int], depth: int) -> bool:
    """Whether no gate fits any more."""
    return all(layer >= depth for layer in layers)
