"""The quantum approximate optimisation algorithm on exact states (arXiv:1411.4028)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import qaoa_ansatz
from torch import Tensor

from qvlm_qiskit.quantum.ising import Ising, all_bits
from qvlm_qiskit.quantum.readings.final_states import states

Floats = npt.NDArray[np.float64]
LEARNING_RATE = 0.05


@dataclass(frozen=True)
class Trained:
    """A circuit with its best angles.

    Attributes:
        circuit: Qiskit's ``qaoa_ansatz`` of the Hamiltonian, divided by its largest coefficient.
        angles: In the order of its parameters: β of each layer, then γ.
        probabilities: Of all assignments, ``(2**n,)``; bit i of the index is spin i.
        energy: The mean of the Ising model's values.
        evaluations: Circuits that were run for it, without their gradients.
    """

    circuit: QuantumCircuit
    angles: Floats
    probabilities: Floats
    energy: float
    evaluations: int

    def correlations(self) -> tuple[Floats, Floats]:
        """⟨Z_i⟩ ``(n,)``, and ⟨Z_i Z_j⟩ ``(n, n)``."""
        spins = 1.0 - 2.0 * all_bits(self.circuit.num_qubits)
        pairs = np.asarray(spins.T @ (self.probabilities[:, None] * spins))
        return np.asarray(self.probabilities @ spins), pairs


def train_qaoa(ising: Ising, layers: int, starts: int, steps: int, seed: int) -> Trained:
    """Angles that make the mean energy small.

    Args:
        ising: What is minimised; at least one coefficient is not zero.
        layers: p.
        starts: Random angles from which Adam begins, all in one batch.
        steps: Of Adam.
        seed: Of the starts.
    """
    scale = float(max(np.abs(ising.fields).max(), np.abs(ising.couplings).max()))
    circuit = qaoa_ansatz(ising.operator() / scale, reps=layers, flatten=True)
    energies = torch.tensor(ising.energies(all_bits(ising.size)))
    rng = np.random.default_rng(seed)
    angles = torch.tensor(
        np.concatenate(
            [
                rng.uniform(-np.pi / 4, np.pi / 4, (starts, layers)),
                rng.uniform(-np.pi / 2, np.pi / 2, (starts, layers)),
            ],
            axis=1,
        ),
        requires_grad=True,
    )
    adam = torch.optim.Adam([angles], lr=LEARNING_RATE)
    for _ in range(steps):
        adam.zero_grad()
        torch.autograd.backward((_probabilities(circuit, angles) @ energies / scale).sum())
        adam.step()
    with torch.no_grad():
        found = _probabilities(circuit, angles)
        means = found @ energies
        best = int(means.argmin())
    return Trained(
        circuit,
        angles[best].detach().numpy(),
        found[best].numpy(),
        float(means[best]),
        starts * (steps + 1),
    )


def _probabilities(circuit: QuantumCircuit, angles: Tensor) -> Tensor:
    return states(circuit, angles).abs().square()
