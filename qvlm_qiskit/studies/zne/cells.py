"""The work of one process: a circuit under every noise, and all extrapolations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.studies.zne.limits import fitted_limits, network_limits
from qvlm_qiskit.studies.zne.options import ZneOptions

FOLDED = "learned-zne"


@dataclass(frozen=True)
class Cell:
    """One circuit.

    Attributes:
        qubits: n.
        layers: Of RY, RZ and CX.
        seed: Of its angles, the shots and the networks.
    """

    qubits: int
    layers: int
    seed: int


def all_cells(options: ZneOptions) -> list[Cell]:
    """Every seed of every width and depth."""
    return [
        Cell(qubits, layers, seed)
        for qubits in options.qubits
        for layers in options.layers
        for seed in range(options.seeds or 0)
    ]


def compute(cell: Cell, options: ZneOptions) -> dict[str, Any]:
    """Errors of every extrapolation of ⟨Z…Z⟩, as plain data."""
    circuit = ansatz(cell)
    operator = SparsePauliOp("Z" * cell.qubits)
    exact = float(Statevector(circuit).expectation_value(operator).real)
    strengths = sorted(options.strengths)
    values = [_value(circuit, operator, p, cell, options) for p in strengths]
    limits = fitted_limits(strengths, values)
    seeds = [1000 * cell.seed + number for number in range(options.networks or 0)]
    networks = network_limits(strengths, values, seeds, options.hidden, options.steps or 0)
    errors = {name: abs(limit - exact) for name, limit in limits.items()}
    errors["network"] = float(np.mean([abs(limit - exact) for limit in networks]))
    errors["mean of networks"] = abs(float(np.mean(networks)) - exact)
    if options.folded:
        found = _value(circuit, operator, strengths[0], cell, options, FOLDED)
        errors[FOLDED] = abs(found - exact)
    return {
        "qubits": cell.qubits,
        "layers": cell.layers,
        "seed": cell.seed,
        "exact": exact,
        "strengths": strengths,
        "values": values,
        "limits": limits,
        "networks": networks,
        "spread": float(np.std(networks, ddof=1)),
        "errors": errors,
    }


def ansatz(cell: Cell) -> QuantumCircuit:
    """RY and RZ on every qubit and a chain of CX, in layers, with a last layer of rotations."""
    rng = np.random.default_rng([cell.qubits, cell.layers, cell.seed])
    circuit = QuantumCircuit(cell.qubits)
    for layer in range(cell.layers + 1):
        for qubit, (first, second) in enumerate(rng.uniform(-np.pi, np.pi, (cell.qubits, 2))):
            circuit.ry(first, qubit)
            circuit.rz(second, qubit)
        for qubit in range(cell.qubits - 1 if layer < cell.layers else 0):
            circuit.cx(qubit, qubit + 1)
    return circuit


def _value(
    circuit: QuantumCircuit, operator: SparsePauliOp, strength: float, cell: Cell,
    options: ZneOptions, mitigation: str = "none",
) -> float:  # fmt: skip
    sampling: dict[str, Any] = {"shots": options.shots} if options.shots else {"precision": 0}
    backend = open_backend(
        f"noisy:depolarizing({strength!r},{strength!r})", seed=cell.seed, mitigation=mitigation,
        **sampling,
    )  # fmt: skip
    result = backend.estimator().run([(circuit, operator)]).result()
    return float(result[0].data.evs)
