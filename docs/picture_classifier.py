"""Pictures → the labels of the training data: a linear map, one circuit, a linear map."""

from dataclasses import dataclass

from qiskit.circuit.library import pauli_feature_map, real_amplitudes
from torch import nn

from qvlm_qiskit.models import Classifier, pixels
from qvlm_qiskit.quantum import QuantumLayer, make_qnn


@dataclass(frozen=True)
class Options:
    """What --model-option sets."""

    num_qubits: int = 3
    side: int = 8


class PictureClassifier(Classifier):
    """Which label a picture has."""

    options_type = Options

    def __init__(self, options, classes):
        super().__init__(options, classes)
        n = options.num_qubits
        encoding, ansatz = pauli_feature_map(n, 1, paulis=["Y"]), real_amplitudes(n, reps=1)
        network = make_qnn(encoding.compose(ansatz), encoding.parameters, ansatz.parameters)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(3 * options.side**2, n), nn.Tanh())
        self.circuit = QuantumLayer(network)
        self.head = nn.Linear(n, len(classes))

    def inputs(self, samples):
        """Small pictures."""
        return {"images": pixels(samples, self.options.side)}

    def forward(self, images, labels=None):
        """Scores of all labels; while training also the loss."""
        return self.scored(self.head(self.circuit(self.features(images))), labels)
