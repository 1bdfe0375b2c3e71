"""A quantum convolutional network that pools by measuring (Cong et al., arXiv:1810.03787).

Every other qubit is measured, and what is done to its neighbour depends on the outcome. The engine
defers measurements to the end, so that values and gradients are exact.
"""

import torch
from fit import fit
from qiskit.circuit import ParameterVector, QuantumCircuit
from sklearn.datasets import load_digits

from qvlm_qiskit.quantum import QuantumLayer, make_qnn, z_observables


class PoolingNetwork(torch.nn.Module):
    """Angles ``(B, n)``, n a power of two → ⟨Z⟩ of the last qubit, ``(B, 1)``."""

    def __init__(self, qubits: int) -> None:
        super().__init__()
        levels = qubits.bit_length() - 1
        x, w = ParameterVector("x", qubits)[:], ParameterVector("w", 4 * levels)[:]
        circuit = QuantumCircuit(qubits, qubits)
        for qubit in range(qubits):
            circuit.ry(x[qubit], qubit)
        for level in range(levels):
            left = range(2**level - 1, qubits, 2**level)
            for index, one in enumerate(left):  # a ring: the first one's neighbour is the last
                circuit.rxx(w[4 * level], one, left[index - 1])
                circuit.rzz(w[4 * level + 1], one, left[index - 1])
                circuit.ry(w[4 * level + 2], one)
            for measured, kept in zip(left[::2], left[1::2], strict=True):
                circuit.measure(measured, measured)
                with circuit.if_test((measured, 1)):
                    circuit.rx(w[4 * level + 3], kept)
        self.layer = QuantumLayer(make_qnn(circuit, x, w, z_observables(qubits)[-1:]))

    def forward(self, angles: torch.Tensor) -> torch.Tensor:
        """One number between -1 and 1."""
        return self.layer(angles)


if __name__ == "__main__":
    images, labels = map(torch.tensor, load_digits(n_class=2, return_X_y=True))
    samples = images.unflatten(1, (8, 8)).mean(1) / 5, 1.0 - 2 * labels[:, None]
    fit(PoolingNetwork(8).double(), samples, torch.nn.MSELoss())
