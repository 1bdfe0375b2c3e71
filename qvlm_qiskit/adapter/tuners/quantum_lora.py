r"""A circuit between the two factors of LoRA.

:math:`\Delta(x) = s\, B\, q(\tfrac{\pi}{2} \tanh(A \hat x))`, where :math:`\hat x` is x with zero
mean and unit variance, A takes it to r features, q has r qubits and returns ⟨Z⟩ of each, and B,
which begins at zero, takes those to the layer's outputs. It has
:math:`r (d_{in} + d_{out}) + 3 r L` parameters with L variational layers (RY, RZ, RX and a ring of
CX), 3rL more than LoRA of the same rank.

With ``core="classical"`` a tanh network with the same number of parameters takes the circuit's
place, with ``core="frozen"`` the circuit's angles stay as they were drawn. [LoRA: Hu et al.,
arXiv:2106.09685. The circuit in its middle is ours, with the angles of
:mod:`qvlm_qiskit.blocks.cores.angles`.]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from qvlm_qiskit.adapter.tuners.configuration import TunerConfig
from qvlm_qiskit.adapter.tuners.layer import TunerLinear
from qvlm_qiskit.adapter.tuners.model import TunerModel
from qvlm_qiskit.adapter.tuners.registration import TunerType, register
from qvlm_qiskit.adapter.tuners.update import Update
from qvlm_qiskit.blocks import BLOCK_KINDS, build_core
from qvlm_qiskit.blocks.circuit_block import NormalisedLinear
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.errors import InputError, UnknownNameError

ENCODINGS = ("angle", "re-upload")
"""Encodings whose features are as many as the qubits."""


@dataclass
class QuantumLoraConfig(TunerConfig):
    """LoRA with a circuit in its middle.

    Attributes:
        r: Features, qubits and read values.
        num_layers: Variational layers of the circuit, or of its twin.
        core: ``"quantum"``, ``"classical"`` (the twin) or ``"frozen"``.
        encoding: ``"angle"``, or ``"re-upload"`` for the angles again before every layer.
        scaling: s.
    """

    r: int = 4
    num_layers: int = 1
    core: str = "quantum"
    encoding: str = "angle"
    scaling: float = 1.0

    tuner: ClassVar[TunerType] = TunerType.QUANTUM_LORA

    def __post_init__(self) -> None:
        """Refuse what no circuit has.

        Raises:
            UnknownNameError: Another core or encoding.
            InputError: Sizes that no circuit has.
        """
        super().__post_init__()
        if self.core not in BLOCK_KINDS:
            raise UnknownNameError("core", str(self.core), BLOCK_KINDS)
        if self.encoding not in ENCODINGS:
            raise UnknownNameError("encoding", str(self.encoding), ENCODINGS)
        CoreShape(self.r, self.num_layers, encoding=self.encoding)

    def build(self, in_features: int, out_features: int) -> CircuitUpdate:
        """The update of a linear layer."""
        return CircuitUpdate(self, in_features, out_features)


class CircuitUpdate(Update):
    """s · B · q(A x) of one layer.

    Attributes:
        reduce: A, behind a normalisation without parameters.
        core: The circuit or its twin.
        expand: B.
    """

    linear = False

    def __init__(self, config: QuantumLoraConfig, in_features: int, out_features: int) -> None:
        """Draw A and the circuit's angles; B is zero."""
        super().__init__()
        self.config = config
        self.reduce = NormalisedLinear(in_features, config.r, bias=False)
        self.core = build_core(config.core, config.r, config.num_layers, encoding=config.encoding)
        self.expand = nn.Linear(config.r, out_features, bias=False)
        nn.init.zeros_(self.expand.weight)
        self.freeze()

    def freeze(self) -> None:
        """Keep a frozen core as it was drawn."""
        if self.config.core == "frozen":
            self.core.requires_grad_(False)

    def forward(self, values: Tensor) -> Tensor:
        """``(…, in)`` → ``(…, out)``."""
        read = self.core(self.reduce(values))
        result: Tensor = self.config.scaling * self.expand(read)
        return result

    def delta(self, weight: Tensor) -> Tensor:
        """There is none.

        Raises:
            InputError: Always.
        """
        raise InputError("quantum_lora is not linear in its inputs: it has no ΔW")


class QuantumLoraLinear(TunerLinear):
    """A linear layer with circuits beside it."""

    adapter_layer_names = ("quantum_lora_update",)


class QuantumLoraModel(TunerModel):
    """A model tuned by :class:`QuantumLoraConfig`.

    ``qvlm_qiskit.quantum.quantum_layers(model)`` finds its circuits, and
    ``qvlm_qiskit.quantum.run_on(model, backend)`` moves them to another machine.
    """

    prefix = "quantum_lora_"
    tuner_layer_cls = QuantumLoraLinear


register(QuantumLoraModel, QuantumLoraConfig)
