"""Hamiltonian embedding with re-uploading (Wang et al., arXiv:2407.14055).

An image, made symmetric, is the Hamiltonian of every evolution of a state. Trainable unitaries of
neighbouring qubits stand between the evolutions; the probabilities of the outcomes are the logits.
"""

import torch
from fit import fit
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import pauli_basis
from sklearn.datasets import load_digits

from qvlm_qiskit.quantum import HamiltonianEvolution, QuantumLayer, make_qnn

STRINGS = pauli_basis(2).to_labels()[1:]


class HamiltonianEmbedding(torch.nn.Module):
    """Images ``(B, 8, 8)`` → probabilities of the outcomes of three qubits, ``(B, 8)``."""

    def __init__(self, repetitions: int) -> None:
        super().__init__()
        image, times = ParameterVector("h", 36)[:], ParameterVector("t", repetitions)[:]
        factors = ParameterVector("w", 2 * 15 * repetitions)[:]
        circuit, factor = QuantumCircuit(3), iter(factors)
        circuit.h(range(3))
        for time in times:
            circuit.append(HamiltonianEvolution(image, time / 2), range(3))
            for pair in ([0, 1], [1, 2]):  # exp(i Σ θ_P P): any unitary of two qubits
                unitary = HamiltonianEvolution({label: next(factor) for label in STRINGS}, -1.0)
                circuit.append(unitary, pair)
        network = make_qnn(circuit, image, times + factors, read="probabilities")
        self.layer = QuantumLayer(network)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits of eight classes."""
        rows, columns = torch.triu_indices(8, 8)
        return self.layer(((images + images.mT) / 2)[:, rows, columns])


if __name__ == "__main__":
    digits = load_digits(n_class=8)
    samples = torch.tensor(digits.images[:50] / 16), torch.tensor(digits.target[:50])
    fit(HamiltonianEmbedding(4).double(), samples, torch.nn.functional.cross_entropy, rate=0.1)
