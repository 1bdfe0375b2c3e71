"""The work of one process: a start's gradients, and its training."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.studies.starts.circuits import Start, network_start, random_start
from qvlm_qiskit.studies.starts.costs import ground_energy, hamiltonian
from qvlm_qiskit.studies.starts.matrix_products import ground_state
from qvlm_qiskit.studies.starts.options import StartsOptions

KEPT = 21
"""Points of a training's curve that a row keeps."""


@dataclass(frozen=True)
class Cell:
    """One start of one circuit.

    Attributes:
        cost: "ising" or "glass".
        qubits: n.
        start: "random", "identity" or "tensor-network".
        bond: Of the tensor network; 0 for other starts.
        seed: Of the Hamiltonian and the angles.
    """

    cost: str
    qubits: int
    start: str
    bond: int
    seed: int


def all_cells(options: StartsOptions) -> list[Cell]:
    """Every start of every width for every cost and seed; bond dimensions that a width can have."""
    return [
        Cell(cost, qubits, start, bond, seed)
        for cost in options.costs
        for qubits in options.qubits
        for start in options.starts
        for bond in (options.bonds if start == "tensor-network" else (0,))
        if bond <= 2 ** (qubits // 2)
        for seed in range(options.seeds or 0)
    ]


def compute(cell: Cell, options: StartsOptions) -> dict[str, Any]:
    """Gradients at a start and what training from there reaches, as plain data."""
    operator = hamiltonian(cell.cost, cell.qubits, cell.seed)
    exact = ground_energy(operator)
    start, energy = make_start(cell, options, operator)
    engine = TorchEstimator(dtype="complex128").engine(
        start.circuit.decompose(), [operator], start.circuit.parameters, len(start.angles[0])
    )

    def cost(angles: torch.Tensor) -> torch.Tensor:
        nothing = torch.zeros(0, dtype=torch.float64)
        return engine.expectations(angles, nothing, dtype=torch.float64)[..., 0]

    squares, values = gradients(cost, start.angles)
    curve = trained(cost, start.angles[0], options)
    error = relative_errors(curve, exact)
    kept = np.unique(np.linspace(0, len(curve) - 1, KEPT).astype(int))
    return {
        **{name: getattr(cell, name) for name in ("cost", "qubits", "start", "bond", "seed")},
        "label": f"network {cell.bond}" if cell.bond else cell.start,
        "parameters": len(start.angles[0]),
        "exact": exact,
        "square": float(np.mean(squares)),
        "start_error": float(np.mean(relative_errors(values, exact))),
        "final_error": float(min(error)),
        "network_error": None if energy is None else relative_errors([energy], exact)[0],
        "curve": {"steps": kept.tolist(), "errors": [error[i] for i in kept]},
    }


def make_start(cell: Cell, options: StartsOptions, operator: Any) -> tuple[Start, float | None]:
    """The circuit with its draws of angles, and the tensor network's energy, if there is one."""
    words = f"{cell.start} {cell.bond}".encode()
    root = np.random.default_rng([zlib.crc32(words), cell.qubits, cell.seed])
    rngs = root.spawn(options.draws or 0)
    if cell.start == "tensor-network":
        state, energy = ground_state(operator, cell.bond, cell.seed)
        found = network_start(
            state, options.staircases, options.added, rngs, options.spread, options.fit
        )
        return found, energy
    spread = options.spread if cell.start == "identity" else None
    return random_start(cell.qubits, options.staircases + options.added, rngs, spread), None


def gradients(cost: Any, angles: npt.NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """The mean square of the derivatives with respect to all angles, and the cost, of each draw."""
    squares, values = [], []
    for draw in angles:
        given = torch.tensor(draw[None], requires_grad=True)
        value = cost(given).sum()
        (found,) = torch.autograd.grad(value, given)
        squares.append(float(found.square().mean()))
        values.append(float(value.detach()))
    return squares, values


def trained(cost: Any, angles: npt.NDArray[np.float64], options: StartsOptions) -> list[float]:
    """The cost before every step of Adam and behind the last."""
    given = torch.tensor(angles[None], requires_grad=True)
    adam = torch.optim.Adam([given], lr=options.learning_rate)
    found = []
    for _ in range(options.steps or 0):
        adam.zero_grad()
        value = cost(given).sum()
        value.backward()
        found.append(float(value.detach()))
        adam.step()
    with torch.no_grad():
        return [*found, float(cost(given))]


def relative_errors(values: Sequence[float], exact: float) -> list[float]:
    """(E - E₀) / abs(E₀), of which rounding may not make anything below zero."""
    return [max((value - exact) / abs(exact), 0.0) for value in values]
