"""Quantum fast weight programmer (Chen, arXiv:2402.17760): a slow network programs a circuit.

At every step of a series the slow network adds to the circuit's angles. They are the memory, and
every window has weights of its own; only the circuit of its last step is read.
"""

import torch
from fit import fit
from qiskit.circuit import ParameterVector, QuantumCircuit

from qvlm_qiskit.quantum import QuantumLayer, make_qnn, z_observables


class FastWeightProgrammer(torch.nn.Module):
    """Windows of a series ``(B, T, 1)`` → the value that follows, ``(B, 1)``."""

    def __init__(self, qubits: int = 8, depth: int = 2, latent: int = 8) -> None:
        super().__init__()
        x, angles = ParameterVector("x", 1)[:], ParameterVector("t", depth * qubits)[:]
        circuit = QuantumCircuit(qubits)
        circuit.h(range(qubits))
        circuit.ry(x[0], 0)
        for layer in range(depth):
            for control in [*range(0, qubits - 1, 2), *range(1, qubits - 1, 2)]:
                circuit.cx(control, control + 1)
            for qubit in range(qubits):
                circuit.ry(angles[layer * qubits + qubit], qubit)
        self.fast = QuantumLayer(make_qnn(circuit, x, angles, z_observables(qubits)[:4]))
        self.fast.requires_grad_(False)  # its own weights are not used
        self.slow = torch.nn.Linear(1, latent)
        self.layers, self.qubits = torch.nn.Linear(latent, depth), torch.nn.Linear(latent, qubits)
        self.read = torch.nn.Linear(4, 1)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        """Angles start at 0; each step adds an outer product of layers and qubits."""
        steps = self.slow(series)
        changes = self.layers(steps)[..., :, None] * self.qubits(steps)[..., None, :]
        return self.read(self.fast(series[:, -1], weight=changes.sum(1).flatten(1)))


if __name__ == "__main__":
    time = torch.linspace(0, 20, 240)
    windows = (torch.exp(-time / 10) * torch.sin(2 * time)).unfold(0, 5, 1)[:158, :, None]
    fit(FastWeightProgrammer(), (windows[:, :4], windows[:, 4]), torch.nn.MSELoss(), rate=0.02)
