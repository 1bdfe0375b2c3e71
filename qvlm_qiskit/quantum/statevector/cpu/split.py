"""One large sample in several threads: in every pass each of them has a part of the amplitudes.

A part is what begins with the same values of the highest qubits. Gates on one qubit within blocks,
phases, sums and the sources of a permutation go part by part, without waiting for other parts;
threads wait for each other before what reads all amplitudes: gates between blocks and permutations.
So a layer of gates and a permutation take two rounds of threads.

A product state is on every part the same one of fewer qubits, times a number that the gates on the
highest qubits make; so on the way back a part's K of the lower qubits are what they would be with
the factor 1, times that factor, and the products of λ's parts with the smaller state are the λ of
the highest qubits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.quantum.executors.tiles import spread
from qvlm_qiskit.quantum.program.fusion import DIAGONAL, ONE_QUBIT, PERMUTATION
from qvlm_qiskit.quantum.statevector.cpu import blocks, gate_matrices, single
from qvlm_qiskit.quantum.statevector.cpu import kernels as k
from qvlm_qiskit.quantum.statevector.cpu.arrays import PlanArrays
from qvlm_qiskit.quantum.statevector.cpu.workspace import borrowed

Array = npt.NDArray[Any]
WITHIN, BETWEEN, MOVE, TURN = range(4)
"""Kinds of steps: gates within and between blocks, a permutation, phases."""
_KINDS = (ONE_QUBIT, PERMUTATION, DIAGONAL)


class Step(NamedTuple):
    """What is done to all amplitudes before the next step.

    Attributes:
        kind: One of the four.
        qubits: Of the gates.
        gates: Their indices.
        array: The permutation's sources ``(2**n,)``, or the phases ``(2**n,)``.
        with_state: Whether the way back still needs ψ below this step.
    """

    kind: int
    qubits: Array
    gates: Array
    array: Array
    with_state: bool


Rounds = list[list[Step]]


def can_split(plan: PlanArrays, parts: int) -> bool:
    """Whether a plan from |0…0⟩ has passes and observables that a part's thread can do alone."""
    size = 1 << plan.start.size
    return (
        plan.start.size > 0
        and bool(np.isin(plan.passes[:, 0], _KINDS).all())
        and bool((plan.term_x * parts < size).all())
        and (parts << blocks.BLOCK_BITS) <= size
    )


def steps_of(plan: PlanArrays) -> Iterator[Step]:
    """The steps of a plan, in order; gates of one run commute."""
    none, alone = np.empty(0, np.int64), single.first_with_angles(plan)
    number = 0
    for kind, group in groupby(plan.passes, key=lambda row: row[0]):
        rows = np.array(list(group))
        if kind == ONE_QUBIT:
            qubits, gates = rows[:, 1].copy(), rows[:, 2].copy()
            low = qubits < blocks.BLOCK_BITS
            for which, chosen in ((WITHIN, low), (BETWEEN, ~low)):
                if chosen.any():
                    yield Step(which, qubits[chosen], gates[chosen], none, True)
        else:
            arrays, which = (plan.tables, MOVE) if kind == PERMUTATION else (plan.phases, TURN)
            for offset, row in enumerate(rows):
                yield Step(which, none, none, arrays[row[1]], number + offset > alone)
        number += len(rows)


def rounds_of(steps: list[Step], back: bool) -> Rounds:
    """Steps between which threads wait for each other; the first and the last may be empty.

    Before a permutation all of its sources are there; on the way back, behind it all targets. The
    first round begins with the initial state or with λ, the last ends with sums over parts.
    """
    made: Rounds = [[]]
    for step in reversed(steps) if back else steps:
        first = step.kind == BETWEEN or (step.kind == MOVE and not back)
        last = step.kind == BETWEEN or (step.kind == MOVE and back)
        if first and (made[-1] or len(made) == 1):
            made.append([])
        made[-1].append(step)
        if last:
            made.append([])
    return made


class Split:
    """Sweeps over single samples; arguments as those of :mod:`.single`.

    Args:
        plan: That :func:`can_split`.
        parts: How many, a power of two; as many threads are used.
    """

    def __init__(self, plan: PlanArrays, parts: int) -> None:
        self.plan, self.parts = plan, parts
        self.size = (1 << plan.start.size) // parts
        steps = list(steps_of(plan))
        self.moves = sum(step.kind == MOVE for step in steps)
        self.ahead, self.behind = rounds_of(steps, back=False), rounds_of(steps, back=True)
        cut = self.size.bit_length() - 1
        self.low, self.top = plan.start[:cut].copy(), plan.start[cut:].copy()
        self.terms = [self._terms(part) for part in range(parts)]

    def _terms(self, part: int) -> PlanArrays:
        """The observables within a part: the highest qubits have given their signs."""
        masks = self.plan.term_z & ~(self.size - 1) & (part * self.size)
        signs = np.array([1.0 - 2 * (int(mask).bit_count() & 1) for mask in masks])
        own = self.plan.term_z & (self.size - 1)
        return self.plan._replace(term_z=own, term_c=self.plan.term_c * signs)

    def forward(
        self, plan: PlanArrays, trig: Array, num_shared: int, amplitudes: Array, scales: Array,
        state: Array, out: Array, first_tile: int, last_tile: int, keep: bool,
    ) -> None:  # fmt: skip
        """Run samples first_tile … last_tile from |0…0⟩."""
        for tile in range(first_tile, last_tile):
            with borrowed(1, state[0]) as others:
                way = _Ahead(self, self._matrices(trig, num_shared, tile, len(out)))
                way.run(state[tile if keep else 0], others[0], out[tile])

    def backward(
        self, plan: PlanArrays, trig: Array, num_shared: int, amplitudes: Array, scales: Array,
        state: Array, grad: Array, lambdas: Array, d_shared: Array, d_batched: Array,
        d_amplitudes: Array, first_tile: int, last_tile: int,
    ) -> None:  # fmt: skip
        """The vector-Jacobian product of samples first_tile … last_tile; uses up ``state``."""
        for tile in range(first_tile, last_tile):
            with borrowed(3, state[0]) as others:
                way = _Back(self, self._matrices(trig, num_shared, tile, len(grad)))
                given = lambdas[tile] if len(lambdas) else None
                total = way.run(state[tile], others, grad[tile], given)
            gate_matrices.gradients_of(
                self.plan, trig, num_shared, tile, total, d_shared, d_batched
            )

    def _matrices(self, trig: Array, num_shared: int, tile: int, tiles: int) -> Array:
        """Those of all gates, and their inverses."""
        both = np.zeros((2, self.plan.gate_batched.size, 8), trig.dtype)
        gate_matrices.matrices_of(self.plan, trig, num_shared, tile, tiles, both)
        return both

    def each(self, work: Callable[[int], None]) -> None:
        """Do something with every part, in as many threads."""

        def some(first: int, last: int) -> None:
            for part in range(first, last):
                work(part)

        spread(some, self.parts, self.parts)

    def pieces(self, buffer: Array) -> Array:
        """Real and imaginary parts ``(2, 2**n)`` by part: ``(2, parts, size)``."""
        return buffer.reshape(2, self.parts, self.size)

    def window(self, part: int) -> tuple[int, int]:
        """The places of every block that a part's thread takes."""
        width = (1 << blocks.BLOCK_BITS) // self.parts
        return part * width, (part + 1) * width

    def factors(self, matrices: Array) -> Array:
        """What the gates that open the circuit on the highest qubits make of every part."""
        made = np.zeros((2, self.parts), matrices.dtype)
        made[0, 0] = 1
        single.prepare(self.top, matrices, made[0], made[1])
        return made


class _Ahead:
    """One sample's way forward."""

    def __init__(self, split: Split, both: Array) -> None:
        self.split, self.matrices = split, both[0]
        self.factors = split.factors(self.matrices)

    def run(self, state: Array, other: Array, out: Array) -> None:
        """Write the final state, and add to the values ``(n_observables, 1)``."""
        split = self.split
        pair = [state, other] if split.moves % 2 == 0 else [other, state]
        self.buffers = [(buffer, split.pieces(buffer)) for buffer in pair]
        self.values = np.zeros((split.parts, *out.shape), out.dtype)
        at = 0
        for number, steps in enumerate(split.ahead):
            split.each(partial(self._round, number, steps, at))
            at = (at + sum(step.kind == MOVE for step in steps)) % 2
        out += self.values.sum(axis=0)

    def _round(self, number: int, steps: list[Step], now: int, part: int) -> None:
        """One part between two waits; the state is in buffer ``now``."""
        if number == 0:
            self._prepare(part)
        for step in steps:
            now = self._do(step, part, now)
        if number == len(self.split.ahead) - 1:
            re, im = self.buffers[now][1][:, part]
            single.measure(self.split.terms[part], re, im, self.values[part])

    def _prepare(self, part: int) -> None:
        re, im = self.buffers[0][1][:, part]
        re[0], im[0] = self.factors[:, part]
        single.prepare(self.split.low, self.matrices, re, im)

    def _do(self, step: Step, part: int, now: int) -> int:
        """One step of one part; the buffer that holds the state then."""
        (re, im), pieces = self.buffers[now]
        own_re, own_im = pieces[:, part]
        if step.kind == WITHIN:
            blocks.run_low(own_re, own_im, step.qubits, self.matrices[step.gates])
        elif step.kind == BETWEEN:
            scratch = np.empty((2, 1 << blocks.BLOCK_BITS), re.dtype)
            window = self.split.window(part)
            blocks.run_high(re, im, step.qubits, self.matrices[step.gates], scratch, *window)
        elif step.kind == TURN:
            k.apply_phases(own_re, own_im, 1, _own(self.split, step, part), 1)
        else:
            to_re, to_im = self.buffers[1 - now][1][:, part]
            k.permute(re, im, 1, _own(self.split, step, part), to_re, to_im)
            return 1 - now
        return now


class _Back:
    """One sample's way back."""

    def __init__(self, split: Split, both: Array) -> None:
        self.split, (self.matrices, self.inverse) = split, both
        self.factors = split.factors(self.matrices)
        shape = (split.parts, *self.matrices.shape)
        self.found, self.opening = np.zeros(shape), np.zeros(shape)
        self.products = np.zeros((2, split.parts), both.dtype)

    def run(self, state: Array, others: Array, grad: Array, given: Array | None) -> Array:
        """K of all gates, (n_gates, 8), for seeds ``(n_observables, 1)`` or for a given λ."""
        split = self.split
        self.psi, self.lam = [state, others[0]], [others[1] if given is None else given, others[2]]
        self.seeds, at = (grad if given is None else None), (0, 0)
        for number, steps in enumerate(split.behind):
            split.each(partial(self._round, number, steps, at))
            moves = [step.with_state for step in steps if step.kind == MOVE]
            at = (at[0] + sum(moves)) % 2, (at[1] + len(moves)) % 2
        return self._total()

    def _round(self, number: int, steps: list[Step], now: tuple[int, int], part: int) -> None:
        """One part between two waits; ψ and λ are in these buffers."""
        if number == 0 and self.seeds is not None:
            self._weigh(part, self.seeds)
        for step in steps:
            now = self._do(step, part, now)
        if number == len(self.split.behind) - 1:
            self._prepare(part, now[1])

    def _weigh(self, part: int, seeds: Array) -> None:
        (re, im), (to_re, to_im) = self._own(self.psi[0], part), self._own(self.lam[0], part)
        single.weigh(self.split.terms[part], re, im, seeds, to_re, to_im)

    def _own(self, buffer: Array, part: int) -> Array:
        own: Array = self.split.pieces(buffer)[:, part]
        return own

    def _do(self, step: Step, part: int, now: tuple[int, int]) -> tuple[int, int]:
        """One step of one part; the buffers that hold ψ and λ then."""
        psi, lam = self.psi[now[0]], self.lam[now[1]]
        if step.kind in (WITHIN, BETWEEN):
            self._gates(step, part, psi, lam)
            return now
        own = _own(self.split, step, part)
        pairs = [(lam, self.lam[1 - now[1]])]
        if step.with_state:
            pairs.append((psi, self.psi[1 - now[0]]))
        for (re, im), target in ((self._own(source, part), to) for source, to in pairs):
            if step.kind == TURN:
                k.apply_phases(re, im, 1, own, -1)
            else:
                k.permute_back(re, im, 1, own, target[0], target[1])
        if step.kind == TURN:
            return now
        return (1 - now[0] if step.with_state else now[0]), 1 - now[1]

    def _gates(self, step: Step, part: int, psi: Array, lam: Array) -> None:
        inverse, total = self.inverse[step.gates], np.zeros((len(step.gates), 8))
        if step.kind == WITHIN:
            own = (*self._own(psi, part), *self._own(lam, part))
            blocks.run_low_back(*own, step.qubits, inverse, total)
        else:
            scratch = np.empty((4, 1 << blocks.BLOCK_BITS), psi.dtype)
            window = self.split.window(part)
            blocks.run_high_back(*psi, *lam, step.qubits, inverse, scratch, total, *window)
        self.found[part, step.gates] += total

    def _prepare(self, part: int, now: int) -> None:
        (lr, li), (sr, si) = self._own(self.lam[now], part), self._own(self.lam[1 - now], part)
        single.prepare_back(self.split.low, self.matrices, lr, li, sr, si, self.opening[part])
        self.products[0, part], self.products[1, part] = lr[0], li[0]

    def _total(self) -> Array:
        """K of all parts together, those of the gates that open the circuit included."""
        total: Array = self.found.sum(axis=0)
        factors = (self.factors[0] + 1j * self.factors[1].astype(np.float64))[:, None, None]
        opening = (self.opening.view(np.complex128) * factors).sum(axis=0)
        total += opening.view(np.float64)
        scratch = np.empty((2, max(2, self.split.parts)), self.products.dtype)
        single.prepare_back(self.split.top, self.matrices, *self.products, *scratch, total)
        return total


def _own(split: Split, step: Step, part: int) -> Array:
    """A part's entries of a permutation or of phases."""
    return step.array[part * split.size : (part + 1) * split.size]
