r"""The diagnostic pipeline: pictures as amplitudes, one circuit, a classifier on what is read.

sriram7737's Quantum-VLM-Adapter names it, "images by amplitude encoding, expectation values to a
classifier or a language model", and no more; what follows is ours. A picture is scaled to
:math:`2^n` grey levels, which are the amplitudes of n qubits; layers of RY, RZ, RX and a ring of CX
follow; ⟨Z⟩ of every qubit and ⟨ZZ⟩ of every pair go to a linear map to the classes, beside the
words of the question where the data asks more than one.

Amplitudes have norm 1, so that how bright a picture is as a whole is lost. The way to a language
model is ``--model 'adapter(vision=pixels,encoding=amplitude,…)'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.pixel_tower import PixelTower
from qvlm_qiskit.adapter.projection import ExpectationBlock
from qvlm_qiskit.blocks.core import BLOCK_KINDS
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.models.asked_classifier import AskedClassifier
from qvlm_qiskit.models.registry import register_model


@dataclass(frozen=True)
class DiagnosticOptions:
    """What stands in the parentheses of ``diagnostic(…)``.

    Attributes:
        num_qubits: n; pictures have :math:`2^n` pixels.
        num_layers: Variational layers.
        kind: quantum, classical (its twin) or frozen (a random circuit).
        ansatz: mixed (RY, RZ, RX) or source (RX alone).
        read: zz (⟨Z⟩ and ⟨ZZ⟩) or z.
    """

    num_qubits: int = 6
    num_layers: int = 2
    kind: str = "quantum"
    ansatz: str = "mixed"
    read: str = "zz"

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: An unknown kind, ansatz or read-out.
            InputError: A number out of range.
        """
        if self.kind not in BLOCK_KINDS:
            raise UnknownNameError("kind of a diagnostic model", str(self.kind), BLOCK_KINDS)
        self.config()

    def config(self) -> ProjectionConfig:
        """The circuit's own options."""
        return ProjectionConfig(
            kind=self.kind, num_qubits=self.num_qubits, num_layers=self.num_layers,
            ansatz=self.ansatz, read=self.read, encoding="amplitude",
        )  # fmt: skip


@register_model("diagnostic")
class Diagnostic(AskedClassifier):
    """Which training answer fits a picture, from the expectation values of its amplitudes."""

    options_type = DiagnosticOptions

    def __init__(
        self, options: DiagnosticOptions, classes: Sequence[str], words: Sequence[str]
    ) -> None:
        """One circuit, or its twin, and one linear map."""
        super().__init__(options, classes, words)
        config = options.config()
        self.tower = PixelTower(options.num_qubits)
        self.circuit = ExpectationBlock(config, self.tower.width)
        self.circuit.freeze()
        self.head = nn.Linear(config.outputs + len(self.words), len(self.classes))

    def seen(self, samples: Sequence[Sample]) -> Tensor:
        """Grey levels ``(B, 2**n)``; of a black picture those of a uniform one."""
        return self.tower.features([one.image for one in samples])

    def forward(
        self, images: Tensor, words: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the classes; with labels their loss too.

        Args:
            images: ``(B, 2**n)`` grey levels, of which the direction alone counts.
            words: ``(B, words)``, 0 or 1.
            labels: ``(B,)`` indices of classes.
        """
        read = self.circuit(images)
        return self.scored(self.head(torch.cat([read, words], dim=1)), labels)
