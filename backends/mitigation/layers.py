"""A circuit's layers of two-qubit gates: what noise is learned of, and where it acts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qvlm_qiskit.backends.mitigation.folding import SELF_INVERSE
from qvlm_qiskit.errors import MitigationError

Bits = NDArray[np.bool_]
Gate = tuple[str, tuple[int, ...]]
UNDIRECTED = ("cz", "swap")
"""Gates of which the order of their qubits makes no difference: one layer, and learned once."""
_LETTERS = "XYZ"
# Nine rows in which any two of four columns show every pair of letters once.
_NINE = tuple((a, b, (a + b) % 3, (a + 2 * b) % 3) for a in range(3) for b in range(3))


@dataclass(frozen=True)
class Layer:
    """Two-qubit gates on disjoint qubits that a circuit makes at one time.

    Attributes:
        gates: Name and device qubits of each, in the order of their qubits; those of `UNDIRECTED`
            gates ascend.
    """

    gates: tuple[Gate, ...]

    @property
    def qubits(self) -> tuple[int, ...]:
        """The device qubits that the gates act on, ascending."""
        return tuple(sorted(qubit for _, qubits in self.gates for qubit in qubits))

    def __str__(self) -> str:
        return ", ".join(f"{name} {'-'.join(map(str, qubits))}" for name, qubits in self.gates)


@dataclass(frozen=True)
class Layered:
    """The layers of a circuit in the order in which it makes them.

    Attributes:
        layers: One entry per time at which a layer is made; equal ones appear again.
        places: For the index of every two-qubit gate in the circuit, the place in `layers`.
    """

    layers: tuple[Layer, ...]
    places: Mapping[int, int]

    @classmethod
    def of(cls, circuit: QuantumCircuit, technique: str) -> Layered:
        """Every two-qubit gate as early as those before it on its qubits allow.

        Args:
            circuit: An ISA circuit.
            technique: Who asks, for the message.

        Raises:
            MitigationError: A gate on two or more qubits that is not its own inverse.
        """
        index = {bit: i for i, bit in enumerate(circuit.qubits)}
        ready = dict.fromkeys(range(circuit.num_qubits), 0)
        places: dict[int, int] = {}
        members: list[list[Gate]] = []
        for number, item in enumerate(circuit.data):
            qubits = tuple(index[bit] for bit in item.qubits)
            if len(qubits) < 2:
                continue
            time = max(ready[qubit] for qubit in qubits)
            if item.name != "barrier":
                if item.name not in SELF_INVERSE:
                    raise MitigationError(
                        f"{technique} can't learn the noise of the gate {item.name!r}: it learns "
                        f"that of {', '.join(SELF_INVERSE)}"
                    )
                members += [[]] if time == len(members) else []
                members[time].append((item.name, _ascending(item.name, qubits)))
                places[number] = time
                time += 1
            ready.update(dict.fromkeys(qubits, time))
        layers = (Layer(tuple(sorted(gates, key=lambda gate: gate[1]))) for gates in members)
        return cls(tuple(layers), places)

    @property
    def unique(self) -> tuple[Layer, ...]:
        """Every layer once, in the order in which they first appear."""
        return tuple(dict.fromkeys(self.layers))


@dataclass(frozen=True)
class Support:
    """Which Paulis the noise of a layer is made of, and the bases in which they are measured.

    Attributes:
        qubits: The layer's, ascending.
        paulis: Labels as (letters, places in `qubits`): on every qubit, and on every pair that a
            gate joins or the device couples.
        bases: Nine assignments of a letter to every qubit; every Pauli is read in one or three.
    """

    qubits: tuple[int, ...]
    paulis: tuple[tuple[str, tuple[int, ...]], ...]
    bases: tuple[str, ...]

    @classmethod
    def of(cls, layer: Layer, target: Target) -> Support:
        """The Paulis of a layer on a device.

        Raises:
            MitigationError: Couplings that take more than four colours.
        """
        qubits = layer.qubits
        place = {qubit: i for i, qubit in enumerate(qubits)}
        pairs = {tuple(sorted(place[q] for q in own)) for _, own in layer.gates}
        pairs |= {
            tuple(sorted((place[a], place[b])))
            for a, b in _coupled(target)
            if a in place and b in place
        }
        colours = _colours(len(qubits), pairs)
        singles = [(letter, (q,)) for q in range(len(qubits)) for letter in _LETTERS]
        doubles = [(a + b, (p[0], p[1])) for p in sorted(pairs) for a in _LETTERS for b in _LETTERS]
        bases = ("".join(_LETTERS[row[c]] for c in colours) for row in _NINE)
        return cls(qubits, (*singles, *doubles), tuple(bases))

    def bits(self) -> Bits:
        """(G, 2n) bits of the Paulis on the layer's n qubits, x bits first."""
        width = len(self.qubits)
        found = np.zeros((len(self.paulis), 2 * width), dtype=bool)
        for row, (letters, places) in enumerate(self.paulis):
            for letter, place in zip(letters, places, strict=True):
                found[row, place] = letter in "XY"
                found[row, width + place] = letter in "ZY"
        return found

    def read_in(self, basis: str) -> list[int]:
        """Which of the Paulis a basis reads."""
        return [
            row
            for row, (letters, places) in enumerate(self.paulis)
            if all(basis[p] == letter for letter, p in zip(letters, places, strict=True))
        ]


def orders(gate: Gate) -> tuple[Gate, ...]:
    """The gate, and the same with its qubits turned round where that is the same gate."""
    name, qubits = gate
    return (gate, (name, qubits[::-1])) if name in UNDIRECTED else (gate,)


def as_listed(gate: Gate, target: Target) -> Gate:
    """The gate in an order in which a device has it; as it is where it has none."""
    found = (g for g in orders(gate) if target.instruction_supported(g[0], g[1]))
    return next(found, gate)


def _ascending(name: str, qubits: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(qubits)) if name in UNDIRECTED else qubits


def _coupled(target: Target) -> Iterable[tuple[int, int]]:
    couplings = target.build_coupling_map()
    return [] if couplings is None else couplings.get_edges()


def _colours(count: int, pairs: Iterable[tuple[int, ...]]) -> list[int]:
    graph = rx.PyGraph(multigraph=False)
    graph.add_nodes_from(range(count))
    graph.add_edges_from_no_data([(pair[0], pair[1]) for pair in pairs])
    colours = rx.graph_greedy_color(graph)
    if max(colours.values(), default=0) > 3:
        raise MitigationError("the couplings of a layer's qubits take more than four colours")
    return [colours[node] for node in range(count)]
