"""Circuits as data: every contender builds its own from the same description.

Qubits and amplitudes are in Qiskit's order, as in :mod:`workloads`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from workloads import Data

Angle = tuple[str, int]
"""("x", i): input i; ("w", i): weight i."""


class Gate(NamedTuple):
    """One gate.

    Attributes:
        name: h, cx, rx, ry, rz, rxx, rzz; "pooling": RX on the second qubit where the first is
            measured as 1; "zz": RZZ with one angle on every pair of :meth:`pairs`.
        qubits: It acts on; a control, or the measured qubit, comes first.
        angle: Of a rotation.
    """

    name: str
    qubits: tuple[int, ...]
    angle: Angle | None = None

    def pairs(self) -> list[tuple[int, int]]:
        """Of "zz": neighbours in ``qubits``, a ring."""
        return list(zip(self.qubits, (*self.qubits[1:], self.qubits[0]), strict=True))


@dataclass(frozen=True)
class Case:
    """A circuit, what is read of it, and numbers.

    Attributes:
        title: Heading of its table.
        num_qubits: n.
        gates: In order of application.
        read: "probabilities" or "states" of all qubits, or Z strings, each the qubits of its Zs.
        data: Inputs ``(B, n_inputs)`` and weights ``(n_weights,)``, or per sample
            ``(B, n_weights)``, or with groups ``(B, K, n_inputs)`` and ``(K, n_weights)``.
    """

    title: str
    num_qubits: int
    gates: tuple[Gate, ...]
    read: str | tuple[tuple[int, ...], ...]
    data: Data

    @property
    def grouped(self) -> bool:
        """Whether there are groups."""
        return self.data.inputs.ndim == 3

    @property
    def per_sample(self) -> bool:
        """Whether every sample has weights of its own."""
        return self.data.weights.ndim == 2 and not self.grouped


class Cones(NamedTuple):
    """Light cones of Z strings that are equal but for labels and parameters.

    Attributes:
        case: One of them, as a circuit of its own; the cones are its groups. Its data are empty.
        inputs: ``(K, n_inputs)``: which inputs of the whole circuit each cone has.
        weights: ``(K, n_weights)``.
        outputs: ``(K,)``: whose values they are.
    """

    case: Case
    inputs: npt.NDArray[np.int64]
    weights: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.int64]


def signs(case: Case) -> npt.NDArray[np.float32]:
    """Values of Z strings are probabilities ``(…, 2**n)`` times this ``(2**n, n_strings)``."""
    outcomes = np.arange(2**case.num_qubits)
    found = np.ones((len(outcomes), len(case.read)), np.float32)
    for column, string in enumerate(case.read):
        for qubit in string:
            found[:, column] *= 1 - 2 * (outcomes >> int(qubit) & 1)
    return found


def drawn(
    inputs: tuple[int, ...], weights: tuple[int, ...], outputs: tuple[int, ...], seed: int = 0
) -> Data:
    """Angles of these shapes and a cotangent, float32."""
    rng = np.random.default_rng(seed)
    angles = [rng.uniform(-np.pi, np.pi, shape) for shape in (inputs, weights)]
    return Data(*(array.astype(np.float32) for array in (*angles, rng.normal(0, 1, outputs))))


def light_cones(case: Case) -> list[Cones]:
    """Every string's cone, by hand: gates that reach it, qubits and parameters counted anew."""
    kinds = defaultdict(list)
    for output, string in enumerate(case.read):
        gates = _reaching(case.gates, string)
        qubits = _first_seen(qubit for gate in reversed(gates) for qubit in gate.qubits)
        used = _first_seen(gate.angle for gate in gates if gate.angle is not None)
        numbers = {kind: [a for a in used if a[0] == kind] for kind in "xw"}
        own = tuple(
            Gate(
                gate.name,
                tuple(qubits.index(qubit) for qubit in gate.qubits),
                gate.angle and (gate.angle[0], numbers[gate.angle[0]].index(gate.angle)),
            )
            for gate in gates
        )
        read = tuple(qubits.index(qubit) for qubit in string)
        kinds[own, len(qubits), read].append((output, numbers["x"], numbers["w"]))
    empty = Data(*[np.zeros((0, 0, 0), np.float32)] * 3)
    return [
        Cones(
            replace(case, num_qubits=width, gates=gates, read=(read,), data=empty),
            *(np.array([[index for _, index in member[k]] for member in members]) for k in (1, 2)),
            np.array([member[0] for member in members]),
        )
        for (gates, width, read), members in kinds.items()
    ]


def _reaching(gates: Sequence[Gate], string: Sequence[int]) -> list[Gate]:
    seen, kept = set(string), []
    for gate in reversed(gates):
        if seen & set(gate.qubits):
            seen |= set(gate.qubits)
            kept.append(gate)
    return kept[::-1]


def _first_seen(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(items))
