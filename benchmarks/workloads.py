"""What is measured, described once: every implementation builds its circuit from this description.

Qubits and amplitudes are in Qiskit's order: qubit 0 is the least significant bit of an amplitude's
index. A framework that counts from the other end relabels qubit q as wire n - 1 - q.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class Gate(NamedTuple):
    """One gate of the trainable part.

    Attributes:
        name: ``"ry"``, ``"rz"`` or ``"cx"``.
        qubit: The qubit, or the control.
        other: The weight that is the angle, or the target.
    """

    name: str
    qubit: int
    other: int


class Data(NamedTuple):
    """Numbers for one pass, float32.

    Attributes:
        inputs: ``(B, num_inputs)``: angles in radians, or features to be normalised and encoded.
        weights: ``(num_weights,)`` angles in radians.
        cotangent: ``(B, n)``: the gradient that arrives at the outputs.
    """

    inputs: Array
    weights: Array
    cotangent: Array


@dataclass(frozen=True)
class Workload:
    """An encoding, layers of RY and RZ on every qubit and a CX ring, and ⟨Z⟩ of every qubit.

    Attributes:
        name: Key in the results.
        title: Heading of its table.
        num_qubits: n.
        num_weights: The last layer is cut short where they run out: an RY column alone has no
            RZ column and no ring after it.
        batch: B.
        encoding: RY(x_q) on every qubit, or the unit vector of 2ⁿ features as the initial state.
        noise: p of the channel ρ → (1 − p)·ρ + p·I/4 on the qubits of every CX; a tenth of it is
            that of every RY. RZ is free of noise.
        double: Whether everybody computes in complex128 instead of complex64.
    """

    name: str
    title: str
    num_qubits: int
    num_weights: int
    batch: int
    encoding: Literal["angle", "amplitude"] = "angle"
    noise: float = 0.0
    double: bool = False

    @property
    def num_inputs(self) -> int:
        """Numbers per sample."""
        return self.num_qubits if self.encoding == "angle" else 2**self.num_qubits

    def gates(self) -> Iterator[Gate]:
        """The trainable part in order of application."""
        n, weight = self.num_qubits, 0
        while weight < self.num_weights:
            names = ("ry", "rz") if weight + 2 * n <= self.num_weights else ("ry",)
            for qubit in range(n):
                for column, name in enumerate(names):
                    yield Gate(name, qubit, weight + column * n + qubit)
            weight += len(names) * n
            if len(names) == 2:
                yield from (Gate("cx", qubit, (qubit + 1) % n) for qubit in range(n))

    def data(self, batch: int | None = None, seed: int = 0) -> Data:
        """The same numbers for every implementation; a smaller batch is the first samples."""
        rng = np.random.default_rng(seed)
        shape = (self.batch, self.num_inputs)
        if self.encoding == "angle":
            inputs = rng.uniform(-np.pi, np.pi, shape)
        else:
            inputs = rng.normal(0, 1, shape)
        weights = rng.uniform(-np.pi, np.pi, self.num_weights)
        cotangent = rng.normal(0, 1, (self.batch, self.num_qubits))
        arrays = (inputs[:batch], weights, cotangent[:batch])
        return Data(*(array.astype(np.float32) for array in arrays))


CIRCUITS = {
    w.name: w
    for w in (
        Workload("paqm", "PAQM: 6 qubits, RY encoding, 2 layers, 6 ⟨Z⟩, B = 512", 6, 24, 512),
        Workload(
            "qcnn12",
            "QCNN: 12 qubits, amplitude encoding of 4096 features, 2 layers, 12 ⟨Z⟩, B = 12",
            *(12, 48, 12, "amplitude"),
        ),
        Workload(
            "qcnn192",
            "QCNN: 12 qubits, amplitude encoding of 4096 features, 2 layers, 12 ⟨Z⟩, B = 192",
            *(12, 48, 192, "amplitude"),
        ),
        Workload("n8", "n = 8: RY encoding, 56 weights (3.5 layers), 8 ⟨Z⟩, B = 8", 8, 56, 8),
    )
}
"""The circuits of the peer tables."""

SMOKE = {
    w.name: w
    for w in (
        Workload("paqm", "smoke: 3 qubits, RY encoding, 2 layers, 3 ⟨Z⟩, B = 4", 3, 12, 4),
        Workload(
            "qcnn12", "smoke: 2 qubits, amplitude encoding, 2 layers, B = 2", 2, 8, 2, "amplitude"
        ),
        Workload(
            "qcnn192", "smoke: 2 qubits, amplitude encoding, 2 layers, B = 3", 2, 8, 3, "amplitude"
        ),
        Workload("n8", "smoke: 2 qubits, RY encoding, 6 weights, B = 2", 2, 6, 2),
    )
}
"""The same rows at sizes that take milliseconds."""


def angle_circuit(
    num_qubits: int, batch: int, noise: float = 0.0, double: bool = False
) -> Workload:
    """Two full layers behind an RY encoding, for the scaling row and the grids."""
    name = f"n{num_qubits}b{batch}"
    return Workload(name, name, num_qubits, 4 * num_qubits, batch, noise=noise, double=double)
