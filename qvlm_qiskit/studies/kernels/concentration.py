"""What is left of a kernel with more qubits."""

from __future__ import annotations

from typing import Any

import numpy as np

from qvlm_qiskit.kernels import QuantumKernel, concentration

POINTS = 60
SCALES = (1.0, 0.25)
MAPS = ("havlicek", "resource-efficient")


def concentrated(model: str, qubits: int, seed: int) -> dict[str, Any]:
    """One row: mean and variance of K off the diagonal, for uniform points in [0, 2π).

    Args:
        model: Map and scale, such as "havlicek x 0.25".
        qubits: Of the map; the resource-efficient one takes two features for each.
        seed: Of the points.
    """
    name, _, scale = model.partition(" x ")
    features = 2 * qubits if name == "resource-efficient" else qubits
    rng = np.random.default_rng([seed, qubits])
    points = rng.uniform(0, 2 * np.pi, (POINTS, features))
    found = concentration(QuantumKernel(name, scale=float(scale))(points))
    return {
        "features": features,
        "mean": found.mean,
        "variance": found.variance,
    }


def curves() -> list[str]:
    """The models of this part."""
    return [f"{name} x {scale:g}" for name in MAPS for scale in SCALES]
