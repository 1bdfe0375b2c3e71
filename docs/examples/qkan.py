"""A Kolmogorov-Arnold network of one-qubit circuits (DARUAN, Jiang et al., arXiv:2509.14026).

Every edge from an input to an output has a function of its own: ⟨Z⟩ of a qubit that takes the input
again and again. The circuits of all edges of a layer are groups of one batch.
"""

import torch
from fit import fit
from qiskit.circuit import ParameterVector, QuantumCircuit

from qvlm_qiskit.quantum import QuantumLayer, make_qnn


class QKAN(torch.nn.Module):
    """``(B, I)`` → ``(B, O)``: the sums over the inputs of what their edges make of them."""

    def __init__(self, inputs: int, outputs: int, repetitions: int = 3) -> None:
        super().__init__()
        x, w = ParameterVector("x", 1)[:], ParameterVector("w", 2 * repetitions + 2)[:]
        circuit = QuantumCircuit(1)
        circuit.h(0)
        for step in range(repetitions + 1):
            circuit.rz(w[2 * step], 0)
            circuit.ry(w[2 * step + 1], 0)
            if step < repetitions:
                circuit.rz(x[0], 0)
        self.edges = QuantumLayer(make_qnn(circuit, x, w), groups=outputs * inputs)
        self.scale = torch.nn.Parameter(torch.ones(outputs, inputs))
        self.base = torch.nn.Parameter(torch.full((outputs, inputs), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """An edge's value is scale · ⟨Z⟩ + base · SiLU(x)."""
        values = self.edges(x.repeat(1, len(self.scale))[..., None]).unflatten(1, self.scale.shape)
        return (self.scale * values[..., 0]).sum(-1) + torch.nn.functional.silu(x) @ self.base.mT


if __name__ == "__main__":
    points = torch.rand(64, 2) * 4 - 2
    wanted = torch.sin(3 * points[:, :1]) + points[:, 1:] ** 2
    fit(torch.nn.Sequential(QKAN(2, 5), QKAN(5, 1)), (points, wanted), torch.nn.MSELoss())
