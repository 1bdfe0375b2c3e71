"""Circuits with rzz gates of any angle, as circuits whose rzz angles lie in (0, π/2].

Machines with gates of any angle calibrate rzz for such angles only. What a gate turns beyond them
is made by gates beside it whose *angles* depend on the values, so that one circuit serves all
values, and its gates stay the same:

    θ = kπ + ψ with −π/2 < ψ ≤ π/2       rzz(θ) = (Z⊗Z)^k rzz(ψ), the sign of k being a phase
    ψ < 0                                 rzz(ψ) = (X⊗1) rzz(|ψ|) (X⊗1)

Z is a half turn of an rz gate, which costs nothing. X becomes a *frame*: from a gate that can turn
about X (rx, or sx written as one) to the next such gate on its qubit, the qubit is flipped or not.
A flip reverses rz gates in between, and the sign of an rzz gate is the difference of its qubits'
flips. As long as rzz gates close no circle between such gates, flips exist for all signs, and no
gate is added; for each circle there is one rx more, and one on qubits that would end flipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import RXGate, RZGate, RZZGate

from qvlm_qiskit.errors import CircuitError

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]

SNAP = 1e-10
"""Radians. So much below 0, or above π/2, an angle still counts as the bound itself: the multiples
of π/2 that models begin with keep their gates when their last bits change."""
FLOOR = 1e-12
"""The smallest angle that is sent: 0 is no angle of the gate."""

_GROUND = 0
# Flips pass these unseen.
_COMMUTING = frozenset({"x", "barrier", "delay", "id"})


@dataclass(frozen=True)
class Folding:
    """Turns of rzz gates, taken apart.

    Attributes:
        half_turns: k, whether it is odd.
        negative: Whether ψ is below 0.
        angles: |ψ|, in (0, π/2].
    """

    half_turns: Bits
    negative: Bits
    angles: Floats

    @classmethod
    def of(cls, angles: Floats) -> Folding:
        """Take apart angles in radians, of any shape.

        What is sent differs from them by at most `SNAP`.
        """
        turns = np.ceil((angles - SNAP) / math.pi - 0.5)
        rest = angles - turns * math.pi
        negative = rest < -SNAP
        legal = np.clip(np.where(negative, -rest, rest), FLOOR, math.pi / 2)
        return cls(turns % 2 == 1, negative, legal)


@dataclass(frozen=True)
class Turn:
    """A rotation of the folded circuit: ±(angle of the source) + π·(sum of bits) modulo 2π.

    Attributes:
        gate: "rx", "rz" or "rzz".
        qubits: Where.
        angle: Number of the source's angle; None for a constant one.
        constant: Then this one.
        signs: Nodes whose flips reverse it, by bits.
        half_turns: rzz gates whose odd half turns it makes.
        flips: Nodes whose flips it makes, as often as they stand there.
    """

    gate: str
    qubits: tuple[int, ...]
    angle: int | None = None
    constant: float = 0.0
    signs: list[int] = field(default_factory=list)
    half_turns: list[int] = field(default_factory=list)
    flips: list[int] = field(default_factory=list)


class Frames:
    """The flips that a circuit's rzz gates ask for.

    A node stands for a qubit between two gates that can flip it. Every node's flip is the sum of
    some rzz gates' signs: `masks[node]` has bit e for gate e. Node 0 is never flipped.
    """

    def __init__(self) -> None:
        self._parent = [_GROUND]
        self._relation = [0]

    def new(self) -> int:
        """A node of its own."""
        self._parent.append(len(self._parent))
        self._relation.append(0)
        return len(self._parent) - 1

    def root(self, node: int) -> tuple[int, int]:
        """The node that stands for all that are joined, and the difference from it."""
        mask = 0
        while self._parent[node] != node:
            mask ^= self._relation[node]
            node = self._parent[node]
        return node, mask

    def joined(self, first: int, second: int, mask: int) -> bool:
        """Let two nodes differ by a mask; False where they differ by another one already."""
        (a, of_a), (b, of_b) = self.root(first), self.root(second)
        if a == b:
            return of_a ^ of_b == mask
        lower, upper = min(a, b), max(a, b)
        self._parent[upper] = lower
        self._relation[upper] = of_a ^ of_b ^ mask
        return True

    def masks(self, last: list[int]) -> list[int]:
        """Every node's flip, such that as many of the last nodes as can be end without."""
        free: dict[int, int] = {}
        for node in (*last, *range(len(self._parent))):
            root, mask = self.root(node)
            free.setdefault(root, 0 if root == _GROUND else mask)
        found = (self.root(node) for node in range(len(self._parent)))
        return [mask ^ free[root] for root, mask in found]


class FrameWalk:
    """One walk through a circuit: what becomes of its gates.

    Args:
        circuit: In the gates rz, rx, sx, x, rzz, cz, and others that are left as they are.
        fixed: For every angle whether it is a number.
        angles: The angles, in the order of the instructions; what is no number isn't looked at.
    """

    def __init__(self, circuit: QuantumCircuit, angles: list[Any], fixed: list[bool]) -> None:
        self.index = {bit: i for i, bit in enumerate(circuit.qubits)}
        self.frames = Frames()
        self.found: list[Turn | Any] = []
        self.gates: list[tuple[int | None, float]] = []
        self._node = [_GROUND] * circuit.num_qubits
        self._phase: list[Turn | None] = [None] * circuit.num_qubits
        self._pending: list[tuple[list[int], list[int]]] = [
            ([], []) for _ in range(circuit.num_qubits)
        ]
        numbers = iter(range(len(angles)))
        for item in circuit.data:
            own = [] if item.name == "delay" else [next(numbers) for _ in item.params]
            self._pass(item, [(n, float(angles[n]) if fixed[n] else None) for n in own])
        last = list(self._node)
        for qubit in range(circuit.num_qubits):
            self._close(qubit)
        self.masks = self.frames.masks(last)

    def _pass(self, item: Any, angles: list[tuple[int, float | None]]) -> None:
        qubits = tuple(self.index[bit] for bit in item.qubits)
        if item.name == "rzz":
            self._interact(qubits, *angles[0])
        elif item.name == "rz":
            self._turn_phase(qubits[0], *angles[0])
        elif item.name in ("rx", "sx"):
            number, value = angles[0] if angles else (0, math.pi / 2)
            self._flip(qubits[0], None if value is not None else number, value or 0.0, item)
        elif item.name == "cz":
            for one, other in (qubits, qubits[::-1]):
                self._half_turn(other, flips=[self._node[one]])
            self.found.append(item)
        else:
            if angles:
                raise CircuitError(
                    f"a machine with fractional gates has no gate {item.name!r} of any angle"
                )
            if item.name not in _COMMUTING:
                for qubit in qubits:
                    self._close(qubit)
            self.found.append(item)

    def _turn_phase(self, qubit: int, number: int, value: float | None) -> None:
        turn = Turn(
            "rz", (qubit,), None if value is not None else number, value or 0.0, [self._node[qubit]]
        )
        self._put_phase(qubit, turn)

    def _put_phase(self, qubit: int, turn: Turn) -> None:
        """An rz gate, with the half turns that have waited for one."""
        gates, flips = self._pending[qubit]
        turn.half_turns.extend(gates)
        turn.flips.extend(flips)
        self._pending[qubit] = ([], [])
        self._phase[qubit] = turn
        self.found.append(turn)

    def _half_turn(self, qubit: int, gates: tuple[int, ...] = (), flips: Any = ()) -> None:
        """π about Z: in the last rz gate if nothing else has come since, else in the next one."""
        turn = self._phase[qubit]
        own = self._pending[qubit] if turn is None else (turn.half_turns, turn.flips)
        own[0].extend(gates)
        own[1].extend(flips)

    def _flip(self, qubit: int, number: int | None, value: float, item: Any = None) -> None:
        """A gate about X: behind it the qubit's flip is free."""
        self._flush(qubit)
        before, self._node[qubit] = self._node[qubit], self.frames.new()
        turn = Turn("rx", (qubit,), number, value, flips=[before, self._node[qubit]])
        self.found.append((turn, item))
        self._phase[qubit] = None

    def _flush(self, qubit: int) -> None:
        if any(self._pending[qubit]):
            self._put_phase(qubit, Turn("rz", (qubit,)))

    def _close(self, qubit: int) -> None:
        """Behind it the qubit isn't flipped."""
        self._flush(qubit)
        self._phase[qubit] = None
        before, self._node[qubit] = self._node[qubit], _GROUND
        if before != _GROUND:
            self.found.append(Turn("rx", (qubit,), flips=[before]))

    def _interact(self, qubits: tuple[int, ...], number: int, value: float | None) -> None:
        legal = value is not None and FLOOR <= value <= math.pi / 2
        gate = len(self.gates)
        self.gates.append((number if value is None else None, value or 0.0))
        mask = 0 if legal else 1 << gate
        one, other = qubits
        if not self.frames.joined(self._node[one], self._node[other], mask):
            self._flip(one, None, 0.0)
            self.frames.joined(self._node[one], self._node[other], mask)
        if not legal:
            for qubit in qubits:
                self._half_turn(qubit, (gate,))
        self.found.append(_Interaction(qubits, gate, value if legal else None))


@dataclass(frozen=True)
class _Interaction:
    qubits: tuple[int, ...]
    gate: int
    fixed: float | None


class LegalCircuit:
    """A circuit with rzz gates of any angle as one whose rzz angles are in (0, π/2].

    Attributes:
        circuit: The same unitary but for its phase, for all values of `values`. Its parameters are
            angle[0] … angle[M−1].

    Args:
        source: In the machine's gates; at least those with angles are rz, rx and rzz.
        angles: Its angles in the order of the instructions: numbers, or anything else.
        fixed: For every angle whether it is a number.

    Raises:
        CircuitError: Decisions in a circuit's middle, or other gates with angles.
    """

    def __init__(self, source: QuantumCircuit, angles: list[Any], fixed: list[bool]) -> None:
        if source.has_control_flow_op():
            raise CircuitError("fractional gates don't go with decisions in a circuit's middle")
        walk = FrameWalk(source, angles, fixed)
        self._gates = walk.gates
        self._masks = walk.masks
        kept = [entry for found in walk.found if (entry := self._kept(found)) is not None]
        self._varying = [entry for entry in kept if self._varies(entry)]
        self.circuit = self._built(source, kept)

    def values(self, angles: Floats) -> Floats:
        """Values of the circuit's parameters.

        Args:
            angles: (B, K): the source's angles in radians.

        Returns:
            (B, M).
        """
        turned = np.empty((len(angles), len(self._gates)))
        for gate, (number, value) in enumerate(self._gates):
            turned[:, gate] = value if number is None else angles[:, number]
        folding = Folding.of(turned)
        flipped = self._flips(folding.negative)
        columns = [
            folding.angles[:, entry.gate]
            if isinstance(entry, _Interaction)
            else _turned(entry, angles, folding.half_turns, flipped)
            for entry in self._varying
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(angles), 0))

    def _flips(self, negative: Bits) -> Bits:
        """(B, nodes)."""
        flipped = np.zeros((len(negative), len(self._masks)), dtype=bool)
        for node, mask in enumerate(self._masks):
            for gate in _bits(mask):
                flipped[:, node] ^= negative[:, gate]
        return flipped

    def _kept(self, found: Any) -> Any:
        """A gate of the source as it is where nothing flips it; None for a turn by nothing."""
        turn, item = found if isinstance(found, tuple) else (found, None)
        if not isinstance(turn, Turn):
            return turn
        total = 0
        for node in turn.flips:
            total ^= self._masks[node]
        if total:
            return turn
        turn.flips.clear()
        if item is not None and turn.angle is None:
            return item
        nothing = turn.angle is None and turn.constant == 0 and not turn.half_turns
        return None if nothing else turn

    def _varies(self, entry: Any) -> bool:
        if isinstance(entry, _Interaction):
            return entry.fixed is None
        if not isinstance(entry, Turn):
            return False
        turns = bool(entry.half_turns) or any(self._masks[node] for node in entry.flips)
        return entry.angle is not None or turns or any(self._masks[n] for n in entry.signs)

    def _built(self, source: QuantumCircuit, kept: list[Any]) -> QuantumCircuit:
        circuit = source.copy_empty_like()
        circuit.global_phase = 0
        parameters = iter(ParameterVector("angle", len(self._varying)))
        for entry in kept:
            if not isinstance(entry, Turn | _Interaction):
                circuit.append(entry.operation, entry.qubits, entry.clbits, copy=False)
                continue
            constant = entry.fixed if isinstance(entry, _Interaction) else entry.constant
            angle = next(parameters) if self._varies(entry) else constant
            gate = RZZGate if isinstance(entry, _Interaction) else _TURNS[entry.gate]
            circuit.append(gate(angle), entry.qubits, copy=False)
        return circuit


_TURNS = {"rx": RXGate, "rz": RZGate}


def _bits(mask: int) -> Iterator[int]:
    number = 0
    while mask:
        if mask & 1:
            yield number
        mask >>= 1
        number += 1


def _turned(turn: Turn, angles: Floats, half_turns: Bits, flipped: Bits) -> Floats:
    """(B,): what a rotation turns by."""
    angle = turn.constant if turn.angle is None else angles[:, turn.angle]
    signs = np.where(_odd(flipped, turn.signs), -1.0, 1.0)
    halves = _odd(half_turns, turn.half_turns) ^ _odd(flipped, turn.flips)
    return np.asarray(signs * angle + math.pi * halves)


def _odd(bits: Bits, columns: list[int]) -> Bits:
    """(B,): whether an odd number of some columns is set."""
    return np.asarray(bits[:, columns].sum(axis=1) % 2 == 1)
