"""Measurements, conditions and resets in the middle of a circuit, as gates on more qubits.

A qubit that has been measured holds a classical bit: whatever is decided by that bit is a gate that
the qubit controls, and the measurement itself may as well come at the end (deferred measurement).
Where a gate acts on such a qubit later, the bit is copied to a new qubit first. A reset qubit goes
on as a new one. So averages over all outcomes are those of one state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from qiskit.circuit import (
    BoxOp,
    ControlFlowOp,
    ForLoopOp,
    Gate,
    IfElseOp,
    QuantumCircuit,
    SwitchCaseOp,
)
from qiskit.circuit.library import CXGate, GlobalPhaseGate, SwapGate

from qvlm_qiskit.basics.conditions import Bits, bits_of, chosen_block
from qvlm_qiskit.errors import CircuitError

MAX_CONDITION_BITS = 6
"""A decision is worked out for all values of its bits."""

Wire = int
Controls = tuple[tuple[Wire, bool], ...]
"""Wires and the values that they must have."""

NOTHING = {"barrier", "delay", "id"}


@dataclass(frozen=True)
class Step:
    """An instruction on some wires, carried out where the controls have their values."""

    operation: Any
    qubits: tuple[Wire, ...]
    controls: Controls = ()


@dataclass(frozen=True)
class Deferred:
    """A circuit without anything in the middle.

    Attributes:
        steps: In order of application.
        measured: Wires whose phase is lost: those that hold bits, and those of reset qubits. Wires
            below the circuit's number of qubits are those that its qubits end on.
    """

    steps: list[Step]
    measured: frozenset[Wire]


def is_dynamic(circuit: QuantumCircuit) -> bool:
    """Whether a circuit measures, resets or decides, also inside its instructions' definitions."""
    return any(
        not item.is_standard_gate()
        and item.name not in NOTHING
        and (bool(item.clbits) or _is_dynamic(item.operation))
        for item in circuit.data
    )


def _is_dynamic(operation: Any) -> bool:
    if isinstance(operation, Gate) or hasattr(operation, "to_matrix"):
        return False
    if operation.name == "reset" or isinstance(operation, ControlFlowOp):
        return True
    definition = getattr(operation, "definition", None)
    return definition is not None and is_dynamic(definition)


def deferred(circuit: QuantumCircuit) -> Deferred:
    """Put everything that a circuit measures at its end.

    Args:
        circuit: Any circuit; instructions that are neither gates nor dynamic are left as they are.

    Raises:
        CircuitError: Something stands in the way of that; the message names it.
    """
    walk = _Walk(list(range(circuit.num_qubits)), circuit.num_qubits)
    walk.extend(circuit, range(circuit.num_qubits), range(circuit.num_clbits))
    # qubits end on the wires of their own number
    label = {wire: qubit for qubit, wire in enumerate(walk.wires)}
    others = [wire for wire in range(walk.width) if wire not in label]
    label |= {wire: circuit.num_qubits + i for i, wire in enumerate(others)}
    steps = [
        Step(
            step.operation,
            tuple(label[wire] for wire in step.qubits),
            tuple((label[wire], value) for wire, value in step.controls),
        )
        for step in walk.steps
    ]
    return Deferred(steps, frozenset(label[wire] for wire in walk.held))


@dataclass
class _Walk:
    """Where a circuit's qubits and bits are by now.

    Attributes:
        wires: Of every qubit.
        width: How many wires there are.
        steps: What has been done.
        touched: Wires that are in |0⟩ no more.
        held: Wires whose phase is lost.
        bits: The wire that holds a bit; bits that were never written are 0.
        controls: Of the block that is walked through.
    """

    wires: list[Wire]
    width: int
    steps: list[Step] = field(default_factory=list)
    touched: set[Wire] = field(default_factory=set)
    held: set[Wire] = field(default_factory=set)
    bits: dict[int, Wire] = field(default_factory=dict)
    controls: Controls = ()

    def extend(self, circuit: QuantumCircuit, qubits: Sequence[int], clbits: Sequence[int]) -> None:
        """Append a circuit's instructions; the outermost numbers of its bits are given."""
        if not self.controls and circuit.global_phase:  # decided by bits, it is never seen
            self.steps.append(Step(GlobalPhaseGate(circuit.global_phase), ()))
        place = dict(zip(circuit.qubits, qubits, strict=True))
        bit = dict(zip(circuit.clbits, clbits, strict=True))
        for item in circuit.data:
            if item.name not in NOTHING:
                on = [place[q] for q in item.qubits]
                own = [bit[c] for c in item.clbits]
                if item.is_standard_gate():
                    self._gate(item.operation, on)
                else:
                    self._append(item.operation, on, own, bit)

    def _append(self, operation: Any, qubits: list[int], clbits: list[int], bit: Bits) -> None:
        if operation.name == "measure":
            self._measure(qubits[0], clbits[0])
        elif operation.name == "reset":
            self._reset(qubits[0])
        elif isinstance(operation, IfElseOp | SwitchCaseOp):
            self._decide(operation, qubits, clbits, bit)
        elif isinstance(operation, ForLoopOp):
            for block in _turns(operation):
                self.extend(block, qubits, clbits)
        elif isinstance(operation, BoxOp):
            self.extend(operation.blocks[0], qubits, clbits)
        elif isinstance(operation, ControlFlowOp) or operation.name in _UNDEFERRABLE:
            reason = _UNDEFERRABLE.get(operation.name, "it is no decision by measured bits")
            raise stands_in_the_way(operation.name, reason)
        elif not _is_dynamic(operation) and not clbits:
            self._gate(operation, qubits)
        elif getattr(operation, "definition", None) is None:
            raise stands_in_the_way(operation.name, "nothing is known of what it does to its bits")
        else:
            self.extend(operation.definition, qubits, clbits)

    def _gate(self, operation: Any, qubits: Sequence[int]) -> None:
        for qubit in qubits:
            self._release(self.wires[qubit])
        on = tuple(self.wires[qubit] for qubit in qubits)
        self.touched.update(on)
        self.steps.append(Step(operation, on, self.controls))

    def _release(self, wire: Wire) -> None:
        """Before a wire that is held is changed, its value is copied to a new one."""
        if wire not in self.held:
            return
        copy = self._new_wire()
        self.steps.append(Step(CXGate(), (wire, copy)))
        self.touched.add(copy)
        self.held.remove(wire)
        self.held.add(copy)
        self.bits = {bit: copy if w == wire else w for bit, w in self.bits.items()}
        self.controls = tuple((copy if w == wire else w, v) for w, v in self.controls)

    def _measure(self, qubit: int, clbit: int) -> None:
        if self.controls:
            raise stands_in_the_way(
                "measure", "inside of a block that may not be run, it leaves two values for its bit"
            )
        self.held.add(self.wires[qubit])
        self.bits[clbit] = self.wires[qubit]

    def _reset(self, qubit: int) -> None:
        if self.wires[qubit] not in self.touched:
            return
        if self.controls:
            self._release(self.wires[qubit])
        old, new = self.wires[qubit], self._new_wire()
        if self.controls:
            self.steps.append(Step(SwapGate(), (old, new), self.controls))
            self.touched.add(new)
            self.held.add(new)
        else:
            self.held.add(old)
            self.wires[qubit] = new

    def _new_wire(self) -> Wire:
        self.width += 1
        return self.width - 1

    def _decide(self, operation: Any, qubits: list[int], clbits: list[int], bit: Bits) -> None:
        """Walk through the block that is chosen, for every value of the bits that choose it."""
        read = {clbit: bit[clbit] for clbit in bits_of(operation)}
        # a bit for every wire that holds some of them; the others are 0
        speaks = {self.bits[number]: number for number in read.values() if number in self.bits}
        if len(speaks) > MAX_CONDITION_BITS:
            raise stands_in_the_way(
                operation.name,
                f"it is decided by {len(speaks)} bits, of at most {MAX_CONDITION_BITS}",
            )
        of_bit = {number: speaks[wire] for number, wire in self.bits.items() if wire in speaks}
        for values in product((False, True), repeat=len(speaks)):
            found = dict(zip(speaks.values(), values, strict=True))
            known = {
                clbit: found[of_bit[number]] if number in of_bit else False
                for clbit, number in read.items()
            }
            block = chosen_block(operation, known)
            if block is not None:
                self._walk_block(block, qubits, clbits, found)

    def _walk_block(
        self,
        block: QuantumCircuit,
        qubits: list[int],
        clbits: list[int],
        found: Mapping[int, bool],
    ) -> None:
        """Append a block for some values of bits, unless the blocks around it need others."""
        wanted = {self.bits[number]: value for number, value in found.items()}
        outer = dict(self.controls)
        if any(outer.get(wire, value) != value for wire, value in wanted.items()):
            return
        self.controls += tuple((w, value) for w, value in wanted.items() if w not in outer)
        self.extend(block, qubits, clbits)
        # by now what is held may be on other wires
        self.controls = self.controls[: len(outer)]


def _turns(loop: ForLoopOp) -> Iterator[QuantumCircuit]:
    """The body of a loop, for every value of its variable."""
    values, variable, body = loop.params
    for value in values:
        free = variable is not None and variable in body.parameters
        yield body.assign_parameters({variable: value}) if free else body


_UNDEFERRABLE = {
    "while_loop": "how often it runs is decided by what is measured",
    "break_loop": "how often a loop runs is decided by what is measured",
    "continue_loop": "what a loop leaves out is decided by what is measured",
    "store": "a classical variable is no measured bit",
}


def stands_in_the_way(name: str, reason: str) -> CircuitError:
    """What is raised where something in the middle of a circuit can't be put at its end."""
    return CircuitError(
        f"instruction {name!r} stands in the way of deferring the circuit's measurements to its "
        f"end: {reason}; 'aer' and noisy:<device> with shots need not defer them"
    )
