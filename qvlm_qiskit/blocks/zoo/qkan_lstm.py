r"""An LSTM whose gates are QKAN layers, QKAN-LSTM (arXiv:2512.05049; circuits: arXiv:2509.14026).

The four linear maps of an LSTM's cell, from a step and the last hidden state to its gates, are a
layer of :mod:`.qkan`: every pair of an input and a gate's number has a circuit of one qubit.

.. math:: c_t = \sigma(f) c_{t-1} + \sigma(i) \tanh(g), \qquad h_t = \sigma(o) \tanh(c_t),

with i, f, g, o = QKAN([x_t, h_{t-1}]); c and h begin at 0. All hidden states are the values.

What of the source is not copied: a read-out that can't be measured (see :mod:`.qkan`); and the
comparison with LSTMs of other sizes, by which it counts 79 % fewer numbers. With 10 numbers an edge
this cell has about ten times those of an LSTM of its width; the twin has gates of as many numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.qkan import QKAN, QKANConfig
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class QKANLSTMConfig(CoreConfig):
    """Sizes of the cell.

    Attributes:
        tokens: Steps of a series.
        inputs: Features of a step.
        outputs: Numbers of the hidden state.
        repetitions: How often a circuit takes its input.
        scaled: Whether each time has a trained scale and offset.
    """

    tokens: int = 4
    inputs: int = 1
    outputs: int = 4
    repetitions: int = 3
    scaled: bool = False

    limits: ClassVar[Limits] = {
        "tokens": (1, 4096), "inputs": (1, 1024), "outputs": (1, 1024), "repetitions": (1, 100)
    }  # fmt: skip

    @property
    def gates(self) -> QKANConfig:
        """Of the layer that makes all gates."""
        return QKANConfig(
            kind=self.kind,
            inputs=self.inputs + self.outputs,
            outputs=4 * self.outputs,
            repetitions=self.repetitions,
            scaled=self.scaled,
        )

    @property
    def sizes(self) -> Sizes:
        """Steps → hidden states; every step has a row for each edge.

        Those of the hidden state before the first step, which is zero, are the same for all series.
        """
        gates, same = self.gates.sizes, 4 * self.outputs**2
        shapes = (self.tokens, self.inputs), (self.tokens, self.outputs)
        return Sizes(*shapes, gates.parameters, self.tokens * gates.rows - same, same)


class Cell(SizedCore):
    """An LSTM with any gates."""

    gates: SizedCore

    def values(self, samples: Tensor) -> Tensor:
        """Hidden states of all steps."""
        steps = widened(samples)
        hidden = cell = steps.new_zeros(*steps.shape[:-2], self.config.outputs)
        found = []
        for step in steps.unbind(-2):
            gates = self.gates(torch.cat([step, hidden], dim=-1))
            taken, kept, new, shown = gates.chunk(4, dim=-1)
            cell = torch.sigmoid(kept) * cell + torch.sigmoid(taken) * torch.tanh(new)
            hidden = torch.sigmoid(shown) * torch.tanh(cell)
            found.append(hidden)
        return torch.stack(found, dim=-2).to(samples.dtype)


@zoo_block("qkan-lstm")
class QKANLSTM(Cell, Core):
    """Series ``(…, T, inputs)`` → hidden states ``(…, T, outputs)``, between -1 and 1."""

    config_class = QKANLSTMConfig
    published = (
        Published(
            figure="79 %",
            what="fewer parameters than an LSTM of the same accuracy on series",
            source="arXiv:2512.05049",
            comparable=False,
            why="a number of parameters, against a wider LSTM; no accuracy",
        ),
    )

    def __init__(self, config: QKANLSTMConfig) -> None:
        """Create the gates."""
        super().__init__(config)
        self.gates = QKAN(config.gates)

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """The same cell with the twin of its gates."""
        return ClassicalCell(config)

    def circuit_parameters(self) -> list[Tensor]:
        """Those of the gates' circuits."""
        return self.gates.circuit_parameters()


class ClassicalCell(Cell):
    """The same cell; its gates are a network of one hidden layer, of as many numbers."""

    def __init__(self, config: QKANLSTMConfig) -> None:
        """Create the gates."""
        super().__init__(config)
        self.gates = QKAN.twin(config.gates)
