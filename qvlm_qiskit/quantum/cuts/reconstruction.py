r"""The values of a cut circuit from those of its fragments.

A wire carries :math:`ρ = ½ Σ_P \mathrm{tr}(Pρ) P` with P of I, X, Y, Z: above the cut P is
measured, below it P goes in. A fragment is run on states that span all P: the four corners of a
tetrahedron in the Bloch sphere, so that X, Y and Z are known equally well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor

from qvlm_qiskit.quantum.cuts.fragments import Fragment, ends_of
from qvlm_qiskit.quantum.split import string_of
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

Array = npt.NDArray[np.float64]
Letters = tuple[tuple[str, int], ...]
"""A Pauli string: letters other than I, and their qubits in ascending order."""

PAULIS = "IXYZ"

CORNERS: Array = np.array(
    [[0.0, 0.0], *([np.arccos(-1 / 3), turn * 2 * np.pi / 3] for turn in range(3))]
)
"""The prepared states ``(4, 2)``: polar and azimuthal angles."""


def _mix() -> Array:
    """Half of each P as a sum of the prepared states, ``(4, 4)``."""
    polar, azimuthal = CORNERS.T
    x, y = np.sin(polar) * np.cos(azimuthal), np.sin(polar) * np.sin(azimuthal)
    return np.stack([np.full(4, 0.25), 0.75 * x, 0.75 * y, 0.75 * np.cos(polar)])


def preparations(cuts: int) -> Array:
    """Angles ``(4**cuts, 2 * cuts)`` of every combination of prepared states, the last one first.

    Args:
        cuts: That lead to a fragment.
    """
    if not cuts:
        return np.zeros((1, 0))
    chosen = np.array(list(product(range(4), repeat=cuts)))
    angles: Array = CORNERS[chosen].reshape(len(chosen), 2 * cuts)
    return angles


@dataclass(frozen=True, eq=False)
class Factor:
    """What a fragment adds to some of the circuit's strings.

    Attributes:
        fragment: Its number.
        cuts_in: Axes of what is prepared.
        cuts_out: Axes of what is measured, as far as anything sees it.
        index: ``(n_strings * 4**n_out,)`` observables of the fragment.
    """

    fragment: int
    cuts_in: tuple[int, ...]
    cuts_out: tuple[int, ...]
    index: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Group:
    """Strings that the same fragments take part in.

    Attributes:
        factors: At least one.
        weights: ``(n_strings, n_observables)`` coefficients.
    """

    factors: tuple[Factor, ...]
    weights: Array


@dataclass(eq=False)
class Reconstruction:
    """How values of observables follow from those of fragments.

    Attributes:
        offsets: What every observable has beside its strings.
        groups: The strings.
        observables: For every fragment, its own Pauli strings; none where nothing sees it.
        cuts_in: For every fragment.
    """

    offsets: Array
    groups: list[Group]
    observables: list[list[SparsePauliOp]]
    cuts_in: list[tuple[int, ...]]
    _constants: DeviceConstants = field(default_factory=DeviceConstants)

    def __call__(self, found: Mapping[int, Tensor], like: Tensor) -> Tensor:
        """Values of the circuit's observables, ``(B, n_observables)`` in doubles.

        Args:
            found: For every fragment that is seen, ``(4**n_in * B, n)`` values of its strings,
                samples of one combination of preparations side by side.
            like: ``(B, …)``, on the device that is meant.
        """
        states = {i: self._by_paulis(i, each.double()) for i, each in found.items()}
        total = self._constant("offsets", self.offsets, like).expand(like.shape[0], -1)
        for number, group in enumerate(self.groups):
            weights = self._constant(("weights", number), group.weights, like)
            total = total + self._strings(number, group, states) @ weights
        return total

    def _constant(self, name: Any, array: Array, like: Tensor) -> Tensor:
        return self._constants.get(name, lambda: array, like.device, torch.float64)

    def _by_paulis(self, fragment: int, values: Tensor) -> Tensor:
        """``(4**n_in, B, n)``: P goes in instead of prepared states."""
        count = len(self.cuts_in[fragment])
        samples, width = values.shape[0] // 4**count, values.shape[1]
        mix = self._constant("mix", _mix(), values)
        for axis in range(count):
            sides = 4**axis, 4, 4 ** (count - axis - 1) * samples * width
            values = torch.einsum("pk,akr->apr", mix, values.reshape(sides))
        return values.reshape(4**count, samples, width)

    def _strings(self, number: int, group: Group, states: Mapping[int, Tensor]) -> Tensor:
        """``(B, n_strings)``: fragments one after the other, each cut summed over its P."""
        tensors = [self._tensor(number, one, states[one.fragment], group) for one in group.factors]
        total, axes = tensors[0]
        for tensor, own in tensors[1:]:
            both = dict.fromkeys([*axes, *own])
            left = [cut for cut in both if (cut in axes) != (cut in own)]
            label = {cut: 2 + i for i, cut in enumerate(both)}
            sides = ([0, 1, *(label[cut] for cut in cuts)] for cuts in (axes, own, left))
            first, second, result = sides
            total, axes = torch.einsum(total, first, tensor, second, result), left
        return total

    def _tensor(
        self, number: int, factor: Factor, values: Tensor, group: Group
    ) -> tuple[Tensor, list[int]]:
        """``(B, n_strings, 4, …)``, and the cut of every axis from the third on."""
        name = "index", number, factor.fragment
        index = self._constants.get(name, lambda: factor.index, values.device, torch.int64)
        samples, strings = values.shape[1], len(group.weights)
        rows, columns = 4 ** len(factor.cuts_in), 4 ** len(factor.cuts_out)
        read = values.index_select(2, index).reshape(rows, samples, strings, columns)
        axes = [*factor.cuts_in, *factor.cuts_out]
        return read.permute(1, 2, 0, 3).reshape(samples, strings, *[4] * len(axes)), axes

    def __getstate__(self) -> dict[str, Any]:
        """Without the tensors of a device."""
        return {**self.__dict__, "_constants": DeviceConstants()}


def reconstruction(
    fragments: Sequence[Fragment], observables: Sequence[SparsePauliOp]
) -> Reconstruction:
    """Which values of fragments are needed, and how they are put together.

    Args:
        fragments: Of a cut circuit.
        observables: Sums of Pauli strings with real coefficients, on the circuit's qubits.
    """
    return _Plan(fragments).of(observables)


class _Plan:
    """Sorts strings by the fragments that take part in them, and collects what these measure."""

    def __init__(self, fragments: Sequence[Fragment]) -> None:
        self.fragments = fragments
        self.ends = ends_of(fragments)
        self.source = {cut: i for i, one in enumerate(fragments) for cut in one.cuts_out}
        self.target = {cut: i for i, one in enumerate(fragments) for cut in one.cuts_in}
        self.measured: list[dict[Letters, int]] = [{} for _ in fragments]

    def of(self, observables: Sequence[SparsePauliOp]) -> Reconstruction:
        offsets = np.zeros(len(observables))
        known: dict[frozenset[int], dict[tuple[Letters, ...], Array]] = {}
        for column, observable in enumerate(observables):
            for letters, coefficient in _terms(observable):
                parts = self._parts(letters)
                if parts is None:
                    continue
                seen = self._seen(parts)
                if not seen:
                    offsets[column] += coefficient
                    continue
                strings = known.setdefault(seen, {})
                weights = strings.setdefault(parts, np.zeros(len(observables)))
                weights[column] += coefficient
        groups = [self._group(sorted(seen), strings) for seen, strings in known.items()]
        own = [
            [string_of(letters, one.circuit.num_qubits) for letters in strings]
            for one, strings in zip(self.fragments, self.measured, strict=True)
        ]
        return Reconstruction(offsets, groups, own, [one.cuts_in for one in self.fragments])

    def _parts(self, letters: Letters) -> tuple[Letters, ...] | None:
        """A string's letters by fragment; None where its value is 0 on an idle qubit."""
        parts: list[list[tuple[str, int]]] = [[] for _ in self.fragments]
        for letter, qubit in letters:
            if qubit in self.ends:
                fragment, own = self.ends[qubit]
                parts[fragment].append((letter, own))
            elif letter != "Z":
                return None
        return tuple(tuple(part) for part in parts)

    def _seen(self, parts: Sequence[Letters]) -> frozenset[int]:
        """Fragments with a letter, and those that lead to one of them."""
        found: set[int] = set()
        waiting = [i for i, letters in enumerate(parts) if letters]
        while waiting:
            fragment = waiting.pop()
            if fragment not in found:
                found.add(fragment)
                waiting += [self.source[cut] for cut in self.fragments[fragment].cuts_in]
        return frozenset(found)

    def _group(self, seen: Sequence[int], strings: Mapping[tuple[Letters, ...], Array]) -> Group:
        factors = tuple(self._factor(fragment, seen, list(strings)) for fragment in seen)
        return Group(factors, np.stack(list(strings.values())))

    def _factor(
        self, number: int, seen: Sequence[int], strings: Sequence[tuple[Letters, ...]]
    ) -> Factor:
        fragment, known = self.fragments[number], self.measured[number]
        live = {c: own for c, own in fragment.cuts_out.items() if self.target[c] in seen}
        index = []
        for parts in strings:
            for paulis in product(PAULIS, repeat=len(live)):
                above = [(p, own) for p, own in zip(paulis, live.values(), strict=True) if p != "I"]
                letters = tuple(sorted((*parts[number], *above), key=lambda each: each[1]))
                index.append(known.setdefault(letters, len(known)))
        return Factor(number, fragment.cuts_in, tuple(live), np.array(index, dtype=np.int64))


def _terms(observable: SparsePauliOp) -> list[tuple[Letters, float]]:
    found = []
    for paulis, qubits, coefficient in observable.to_sparse_list():
        pairs = sorted(zip(paulis, qubits, strict=True), key=lambda each: each[1])
        letters = tuple((p, q) for p, q in pairs if p != "I")
        found.append((letters, float(np.real(coefficient))))
    return found
