"""A block with a circuit of its own: patches as two angles."""

from dataclasses import dataclass

from qiskit.circuit import ParameterVector, QuantumCircuit
from torch import nn

from qvlm_qiskit.blocks import Block, ExpectationReadout
from qvlm_qiskit.quantum import QuantumLayer, make_qnn


@dataclass(frozen=True)
class Config:
    kind: str = "quantum"


class TwoAngles(Block):
    place, config_class = "vision", Config
    angle_maps, circuits = ("angles",), ("layer",)

    def __init__(self, config, width):
        super().__init__(config, width)
        x, w, circuit = ParameterVector("x", 2), ParameterVector("w", 2), QuantumCircuit(2)
        for qubit in range(2):
            circuit.ry(x[qubit], qubit)
            circuit.rx(w[qubit], qubit)
        circuit.cx(0, 1)
        self.angles = nn.Linear(width, 2, bias=False)
        self.layer = QuantumLayer(make_qnn(circuit, list(x), list(w)))
        self.expand = ExpectationReadout(2, width)

    def forward(self, patches):
        return patches + self.expand(self.layer(self.angles(patches)))
