"""Flipped quanvolution (Wang et al., arXiv:2409.17583): patches are observables of trained states.

⟨ψ|H|ψ⟩ of a patch, padded to 4 × 4 and made symmetric, is the sum of the patch times Re ψψ†. So
this is a convolution whose kernels are states of two qubits.
"""

import torch
from fit import fit
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import pauli_basis
from sklearn.datasets import load_digits

from qvlm_qiskit.quantum import HamiltonianEvolution, states


class FlippedQuanvolution(torch.nn.Module):
    """A 3 × 3 convolution ``(B, C, H, W)`` → ``(B, K, H - 2, W - 2)``."""

    def __init__(self, channels: int, kernels: int) -> None:
        super().__init__()
        self.angles = torch.nn.Parameter(torch.randn(kernels, channels, 15))
        self.bias = torch.nn.Parameter(torch.zeros(kernels))
        factors = zip(pauli_basis(2).to_labels()[1:], ParameterVector("t", 15), strict=True)
        self.circuit = QuantumCircuit(2)
        self.circuit.append(HamiltonianEvolution(dict(factors), -1.0), [0, 1])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The mean over the channels, as in the paper."""
        vectors = states(self.circuit, self.angles)  # (K, C, 4)
        kernels = (vectors[..., :, None] * vectors[..., None, :].conj()).real[..., :3, :3]
        return torch.nn.functional.conv2d(images, kernels / images.shape[1], self.bias)


if __name__ == "__main__":
    digits = load_digits()
    samples = torch.tensor(digits.images[:200, None] / 16), torch.tensor(digits.target[:200])
    layers = FlippedQuanvolution(1, 4), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 10)
    fit(torch.nn.Sequential(*layers).double(), samples, torch.nn.functional.cross_entropy)
