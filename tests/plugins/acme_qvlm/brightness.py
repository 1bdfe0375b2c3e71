"""A model: which of the training answers a picture's brightness goes with, by one qubit."""

from dataclasses import dataclass

from qiskit.circuit import Parameter, QuantumCircuit
from torch import nn

from qvlm_qiskit.models import Classifier, pixels
from qvlm_qiskit.quantum import QuantumLayer, make_qnn


@dataclass(frozen=True)
class Options:
    """How often the angle is applied."""

    turns: int = 1


class Brightness(Classifier):
    """A rotation by the mean grey level, and a linear map."""

    options_type = Options

    def __init__(self, options, classes):
        super().__init__(options, classes)
        level, start = Parameter("level"), Parameter("start")
        circuit = QuantumCircuit(1)
        circuit.ry(start, 0)
        for _ in range(options.turns):
            circuit.ry(3 * level, 0)
        self.circuit = QuantumLayer(make_qnn(circuit, [level], [start]))
        self.head = nn.Linear(1, len(classes))

    def inputs(self, samples):
        """Mean grey levels."""
        return {"levels": pixels(samples, 1).mean((1, 2, 3))[:, None]}

    def forward(self, levels, labels=None):
        """Scores of all answers."""
        return self.scored(self.head(self.circuit(levels)), labels)
