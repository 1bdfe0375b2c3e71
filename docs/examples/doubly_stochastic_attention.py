"""Doubly stochastic attention by a circuit, after Born et al. (arXiv:2504.16275).

The row register and an ancilla are halves of Bell pairs, so that one circuit runs on all columns at
once: the probability of (row i, column j) is an entry of a matrix whose rows and columns add up to
the same. The angles are θ ⊙ logits as in the paper; the circuit is a reading of our own.
"""

import torch
from fit import fit
from qiskit.circuit import ParameterVector, QuantumCircuit

from qvlm_qiskit.quantum import QuantumLayer, make_qnn


class DoublyStochasticAttention(torch.nn.Module):
    """Four tokens ``(B, 4, width)`` → ``(B, 4, width)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        angles = iter(parameters := ParameterVector("a", 32)[:])
        circuit = QuantumCircuit(6)  # row 0 and 1, ancilla 2; their partners 3 to 5
        circuit.h([3, 4, 5])
        circuit.cx([3, 4, 5], [0, 1, 2])
        for one, other in [(0, 1), (1, 2)] * 4:
            circuit.ry(next(angles), one)
            circuit.ry(next(angles), other)
            circuit.rz(next(angles), other)
            circuit.cx(one, other)
            circuit.rx(next(angles), one)
        network = make_qnn(circuit, parameters, [], read="probabilities", qubits=[3, 4, 0, 1])
        self.matrix = QuantumLayer(network)
        self.theta = torch.nn.Parameter(torch.randn(2, 16))
        self.project = torch.nn.Linear(width, 3 * width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The values of all tokens, mixed."""
        queries, keys, values = self.project(tokens).chunk(3, -1)
        return self.attention(queries @ keys.mT) @ values

    def attention(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits ``(B, 4, 4)`` → matrices whose rows and columns add up to 1."""
        angles = (self.theta * logits.flatten(1)[:, None]).flatten(1)
        return 4 * self.matrix(angles).unflatten(1, (4, 4))


if __name__ == "__main__":
    tokens = torch.randn(20, 4, 6)
    fit(DoublyStochasticAttention(6), (tokens, tokens.flip(1)), torch.nn.MSELoss())
