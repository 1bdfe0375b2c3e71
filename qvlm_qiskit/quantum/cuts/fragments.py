"""A circuit whose wires are cut, as circuits on fewer qubits.

A cut ends a stretch of a qubit and begins another one. Stretches that no operation connects lie in
different fragments, each of which is a circuit whose qubits are its stretches.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp, Gate, Instruction, ParameterVector

from qvlm_qiskit.errors import CircuitError, InputError

MARKER = "cut_wire"
"""The name of qiskit-addon-cutting's ``CutWire``."""


class Place(NamedTuple):
    """Where a wire is cut.

    Attributes:
        qubit: Its number.
        instruction: Index of ``circuit.data``; the cut is before it.
    """

    qubit: int
    instruction: int

    def __str__(self) -> str:
        """As it is given."""
        return f"({self.qubit}, {self.instruction})"


class Step(NamedTuple):
    """An operation, those inside of an instruction that only stands for a circuit one by one.

    Attributes:
        instruction: Its index in ``circuit.data``.
        operation: What is done.
        qubits: Numbers of the circuit's qubits.
    """

    instruction: int
    operation: Any
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class Fragment:
    """A part of a cut circuit, as a circuit of its own.

    Attributes:
        circuit: On its stretches of qubits; some of them begin with a preparation.
        angles: Two per cut that leads here: the polar and azimuthal angle of what is prepared.
        cuts_in: Cuts that lead here, in the order of their angles.
        cuts_out: Cuts that end a stretch of this fragment, and the qubit that is.
        ends: The circuit's qubits that end here, and the fragment's own numbers of them.
    """

    circuit: QuantumCircuit
    angles: ParameterVector
    cuts_in: tuple[int, ...]
    cuts_out: Mapping[int, int]
    ends: Mapping[int, int]


def _places(circuit: QuantumCircuit, at: Any) -> list[Place]:
    """Where a circuit is to be cut: where it is said, and at its markers."""
    marked = [
        Place(circuit.find_bit(item.qubits[0]).index, index)
        for index, item in enumerate(circuit.data)
        if item.name == MARKER
    ]
    given = at if isinstance(at, Iterable) else [at]
    asked = [_place(circuit, one) for one in given]
    places = sorted([*marked, *asked], key=lambda place: place.instruction)
    if not places:
        raise InputError(
            "there is no wire to cut: say at=[(qubit, index of circuit.data), …], or put markers "
            "(CutWire of qiskit-addon-cutting) into the circuit"
        )
    return places


def _place(circuit: QuantumCircuit, given: Any) -> Place:
    try:
        qubit, index = (operator.index(number) for number in given)
    except (TypeError, ValueError):
        raise InputError(f"a cut is a pair (qubit, index of circuit.data), got {given!r}") from None
    if not 0 <= qubit < circuit.num_qubits:
        last = circuit.num_qubits - 1
        raise InputError(f"cut {Place(qubit, index)}: there are qubits 0 to {last}, not {qubit}")
    if not 0 <= index < len(circuit.data):
        last = len(circuit.data) - 1
        raise InputError(
            f"cut {Place(qubit, index)}: the circuit has instructions 0 to {last}, not {index}"
        )
    return Place(qubit, index)


class Cutting:
    """Stretches of qubits, counted from the start of each, and what connects them.

    Attributes:
        circuit: What is cut.
        places: Where.
        steps: The circuit's operations.
        nodes: For every step, the stretches that it acts on.
        above: Of every cut, the stretch that it ends; the next one of that qubit follows.
        graph: Connects the stretches that something acts on.
        number: Of their nodes.
    """

    def __init__(self, circuit: QuantumCircuit, at: Sequence[Any] = ()) -> None:
        """Find out what the cuts separate.

        Args:
            circuit: With or without ``CutWire`` markers, which are cut too.
            at: Pairs (qubit, index of ``circuit.data``).

        Raises:
            InputError: Nothing to cut, a place that does not exist, a cut that does not separate,
                or one with nothing before or after it.
            CircuitError: Something in the circuit can't be cut.
        """
        self.circuit = circuit
        self.steps = list(_steps(circuit))
        self.places = _places(circuit, at)
        self.graph = rx.PyGraph()
        self.number: dict[tuple[int, int], int] = {}
        by_qubit: dict[int, list[int]] = defaultdict(list)
        for cut, place in enumerate(self.places):
            by_qubit[place.qubit].append(cut)
        cuts_of = {q: [self.places[c].instruction for c in cuts] for q, cuts in by_qubit.items()}
        self.nodes = [
            [(q, bisect_right(cuts_of.get(q, ()), step.instruction)) for q in step.qubits]
            for step in self.steps
        ]
        self.above = {
            cut: (qubit, part) for qubit, cuts in by_qubit.items() for part, cut in enumerate(cuts)
        }
        self._connect()
        self._check(cuts_of)

    def _connect(self) -> None:
        for step, nodes in zip(self.steps, self.nodes, strict=True):
            if step.operation.name == "barrier":
                continue
            for node in nodes:
                if node not in self.number:
                    self.number[node] = self.graph.add_node(node)
            for first, second in pairwise(nodes):
                self.graph.add_edge(self.number[first], self.number[second], step)

    def _check(self, cuts_of: Mapping[int, Sequence[int]]) -> None:
        for cut, place in enumerate(self.places):
            qubit, part = self.above[cut]
            for side, there in ((part, "before"), (part + 1, "after")):
                if (qubit, side) in self.number:
                    continue
                if 0 < side < len(cuts_of[qubit]):
                    raise InputError(f"cut {place}: qubit {qubit} is cut twice at one place")
                raise InputError(f"cut {place}: nothing acts on qubit {qubit} {there} it")
            self._check_separates(place, (qubit, part), (qubit, part + 1))

    def _check_separates(
        self, place: Place, above: tuple[int, int], below: tuple[int, int]
    ) -> None:
        start, end = self.number[above], self.number[below]
        paths = rx.dijkstra_shortest_paths(self.graph, start, end, weight_fn=lambda _: 1.0)
        if end not in paths:
            return
        path = list(paths[end])
        joins = [self.graph.get_edge_data(*pair) for pair in pairwise(path)]
        step = max(joins, key=lambda join: (len(join.qubits), join.instruction))
        on = ", ".join(map(str, step.qubits))
        raise InputError(
            f"cut {place} does not separate the circuit: instruction {step.instruction}, "
            f"{step.operation.name!r} on qubits {on}, is one of those that join both sides of it"
        )

    def fragments(self) -> list[Fragment]:
        """The connected stretches, each as a circuit, in the order of their first operations.

        Qubits that nothing acts on are in none.
        """
        home: dict[tuple[int, int], int] = {}
        for piece, component in enumerate(rx.connected_components(self.graph)):
            home.update(dict.fromkeys((self.graph[i] for i in component), piece))
        members: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for node in self.number:  # in the order of the steps
            members[home[node]].append(node)
        return [self._fragment(sorted(nodes), i) for i, nodes in enumerate(members.values())]

    def _fragment(self, nodes: Sequence[tuple[int, int]], number: int) -> Fragment:
        label = {node: i for i, node in enumerate(nodes)}
        out = {cut: label[node] for cut, node in self.above.items() if node in label}
        into = {
            cut: label[qubit, part + 1]
            for cut, (qubit, part) in self.above.items()
            if (qubit, part + 1) in label
        }
        result = QuantumCircuit(len(nodes), name=f"{self.circuit.name}_fragment_{number + 1}")
        angles = ParameterVector(_free_name(self.circuit), 2 * len(into))
        for i, qubit in enumerate(into.values()):
            result.ry(angles[2 * i], qubit)
            result.rz(angles[2 * i + 1], qubit)
        for step, on in zip(self.steps, self.nodes, strict=True):
            own = [label[node] for node in on if node in label]
            if step.operation.name == "barrier" and own:
                result.barrier(own)
            elif own:
                result.append(step.operation, own)
        last = {qubit: part for qubit, part in sorted(self.number)}
        ends = {q: label[q, part] for q, part in last.items() if (q, part) in label}
        return Fragment(result, angles, tuple(into), out, ends)


def _free_name(circuit: QuantumCircuit) -> str:
    """A name that no parameter of a circuit has."""
    names = {parameter.name.partition("[")[0] for parameter in circuit.parameters}
    return "_" * max(map(len, names), default=0) + "prepared"


def _steps(circuit: QuantumCircuit) -> Iterator[Step]:
    """A circuit's operations; markers are none.

    Raises:
        CircuitError: One of them measures, decides by bits or is a cut of a gate.
    """
    number = {bit: i for i, bit in enumerate(circuit.qubits)}
    for index, item in enumerate(circuit.data):
        qubits = tuple(number[bit] for bit in item.qubits)
        if item.name != MARKER:
            yield from _flat(index, item, qubits)


def _flat(index: int, item: Any, qubits: tuple[int, ...]) -> Iterator[Step]:
    operation = item.operation
    if item.name == MARKER:
        raise CircuitError(f"instruction {index} holds a {MARKER!r}: decompose it to cut there")
    if item.clbits or isinstance(operation, ControlFlowOp):
        raise CircuitError(
            f"instruction {index}, {item.name!r}: a circuit that measures or decides in its middle "
            "can't be cut"
        )
    if item.name.startswith("qpd_"):
        raise CircuitError(
            f"instruction {index}, {item.name!r}, is a gate that is cut: only wires are cut here; "
            "find_cuts leaves gates whole with OptimizationParameters(gate_lo=False)"
        )
    if type(operation) in (Gate, Instruction) and operation.definition is not None:
        inner: QuantumCircuit = operation.definition
        place = dict(zip(inner.qubits, qubits, strict=True))
        for each in inner.data:
            yield from _flat(index, each, tuple(place[bit] for bit in each.qubits))
    else:
        yield Step(index, operation, qubits)


def ends_of(fragments: Iterable[Fragment]) -> dict[int, tuple[int, int]]:
    """The circuit's qubits that something acts on: the fragment and its qubit that they end on."""
    return {
        qubit: (number, own)
        for number, fragment in enumerate(fragments)
        for qubit, own in fragment.ends.items()
    }
