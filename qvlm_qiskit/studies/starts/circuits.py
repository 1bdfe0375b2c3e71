"""All starts as angles of one circuit: staircases of gates on neighbouring qubits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import random_unitary
from scipy.linalg import expm

from qvlm_qiskit.studies.starts.matrix_products import Gates, fitted, staircases

Angles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Start:
    """Where a circuit begins.

    Attributes:
        circuit: Of fifteen angles a gate, less those that are shared between gates; the same for
            every start of one width.
        angles: ``(draws, n_parameters)``, in the order of the circuit's parameters.
    """

    circuit: QuantumCircuit
    angles: Angles


def near_identity(rng: np.random.Generator, spread: float) -> npt.NDArray[np.complex128]:
    """A unitary of two qubits: the exponential of a random generator.

    Args:
        rng: Of the generator's sixteen normal coefficients.
        spread: Their standard deviation.
    """
    entries = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    return np.asarray(expm(1j * spread * (entries + entries.conj().T) / 2))


def random_start(
    qubits: int, layers: int, rngs: list[np.random.Generator], spread: float | None
) -> Start:
    """Gates that are drawn by Haar's measure, or near the identity.

    Args:
        qubits: n.
        layers: Staircases.
        rngs: One per draw.
        spread: As for `near_identity`; None for Haar's measure.
    """

    def draw(rng: np.random.Generator) -> Any:
        return random_unitary(4, seed=rng).data if spread is None else near_identity(rng, spread)

    drawn = [[_layer(qubits, rng, draw) for _ in range(layers)] for rng in rngs]
    return _start(qubits, drawn)


def network_start(
    state: Any, count: int, added: int, rngs: list[np.random.Generator], spread: float, fit: int
) -> Start:
    """A tensor network's staircases behind gates near the identity.

    Args:
        state: A normalised ``MatrixProductState``.
        count: Its staircases.
        added: Staircases before them.
        rngs: One per draw of these.
        spread: As for `near_identity`.
        fit: Steps that fit the staircases' angles.
    """
    qubits = state.L
    first, angles = _parametrised(qubits, staircases(state, count))
    bound = first.assign_parameters(fitted(first, angles, state, fit))
    drawn = [
        [_layer(qubits, rng, lambda rng: near_identity(rng, spread)) for _ in range(added)]
        for rng in rngs
    ]
    return _start(qubits, drawn, bound)


def _layer(qubits: int, rng: np.random.Generator, draw: Any) -> Gates:
    return [(site, draw(rng)) for site in range(qubits - 1)]


def _start(qubits: int, drawn: list[list[Gates]], behind: QuantumCircuit | None = None) -> Start:
    made = [_parametrised(qubits, layers, behind) for layers in drawn]
    return Start(made[0][0], np.array([angles for _, angles in made]))


def _parametrised(
    qubits: int, layers: list[Gates], behind: QuantumCircuit | None = None
) -> tuple[QuantumCircuit, Angles]:
    """Gates as rotations: the circuit depends only on which qubits they act on."""
    from qiskit_addon_aqc_tensor import generate_ansatz_from_circuit

    circuit = QuantumCircuit(qubits)
    for site, matrix in (gate for layer in layers for gate in layer):
        circuit.append(UnitaryGate(matrix), [site + 1, site])
    if behind is not None:
        circuit.compose(behind, inplace=True)
    with _quiet():
        found, angles = generate_ansatz_from_circuit(circuit, qubits_initially_zero=True)
    return found, np.array(angles)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the addon's reports of decompositions that it then makes in another way."""
    logger = logging.getLogger("qiskit_addon_aqc_tensor.ansatz_generation.from_connectivity")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
