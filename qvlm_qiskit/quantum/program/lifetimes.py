"""When the qubits of a noisy circuit come and go, and an order of steps that keeps few at a time.

A qubit that no step has acted on is |0⟩ beside the state, and one that no step will act on is
traced out unless it is read. So a state holds the qubits in between only: of a line's light cone
about half as many as the cone has.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

Qubits = Sequence[int]


@dataclass(frozen=True)
class Passage:
    """What happens to the state's qubits around one step.

    Attributes:
        enters: Qubits in |0⟩ that join before it.
        leaves: Qubits that are traced out after it.
    """

    enters: tuple[int, ...]
    leaves: tuple[int, ...]


def passages(acts: Sequence[Qubits], read: Collection[int]) -> list[Passage]:
    """For each step, which qubits join the state before it and leave after it.

    Args:
        acts: The qubits of every step, in order of application.
        read: Qubits that stay to the end.
    """
    last = {qubit: index for index, qubits in enumerate(acts) for qubit in qubits}
    known: set[int] = set()
    found = []
    for index, qubits in enumerate(acts):
        enters = tuple(qubit for qubit in qubits if qubit not in known)
        known.update(enters)
        ends = (qubit for qubit in qubits if last[qubit] == index and qubit not in read)
        found.append(Passage(enters, tuple(ends)))
    return found


@dataclass(frozen=True)
class Lives:
    """Steps in an order whose states are small.

    Attributes:
        order: The steps that what is read depends on.
        peak: The most qubits that a state has.
        numbers: Of all states under noise, one for each step on several qubits and a last one.
    """

    order: tuple[int, ...]
    peak: int
    numbers: int


def lives(acts: Sequence[Qubits], read: Collection[int]) -> Lives:
    """Take steps as they come, or each one right after those that it needs: what is less work.

    Args:
        acts: The qubits of every step, in order of application.
        read: Qubits that stay to the end.
    """
    kept = _seen(acts, read)
    orders = (_lives(order, acts, read) for order in (kept, _depth_first(kept, acts)))
    return min(orders, key=lambda found: found.numbers)


def _lives(order: Sequence[int], acts: Sequence[Qubits], read: Collection[int]) -> Lives:
    # what acts on one qubit waits for the next step that acts on several
    wide = [acts[index] for index in order if len(acts[index]) > 1]
    width, widths = 0, [len(read)]
    for passage in passages(wide, read):
        width += len(passage.enters)
        widths.append(width)
        width -= len(passage.leaves)
    return Lives(tuple(order), max(widths), sum(4**each for each in widths))


def _seen(acts: Sequence[Qubits], read: Collection[int]) -> list[int]:
    seen, kept = set(read), []
    for index in reversed(range(len(acts))):
        if not seen.isdisjoint(acts[index]):
            seen.update(acts[index])
            kept.append(index)
    return kept[::-1]


def _depth_first(steps: Sequence[int], acts: Sequence[Qubits]) -> list[int]:
    """Every step right after the last of those that it needs."""
    latest: dict[int, int] = {}
    needs: dict[int, list[int]] = {}
    for index in steps:
        needs[index] = sorted({latest[q] for q in acts[index] if q in latest}, reverse=True)
        latest.update(dict.fromkeys(acts[index], index))
    order: dict[int, None] = {}
    needed = {index for each in needs.values() for index in each}
    for end in sorted(set(needs) - needed):
        waiting = [end]
        while waiting:
            index = waiting[-1]
            if index not in order and needs[index]:
                waiting.append(needs[index].pop())
                continue
            order.setdefault(waiting.pop())
    return list(order)
