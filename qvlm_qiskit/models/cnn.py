"""A small convolutional baseline: two convolutions, then one hidden layer with the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import use_plain_numbers
from qvlm_qiskit.models.asked_classifier import AskedClassifier
from qvlm_qiskit.models.registry import register_model
from qvlm_qiskit.models.sizes import check_sizes

POOLED = 4
"""Side of the feature maps that the hidden layer sees."""


@dataclass(frozen=True)
class CnnOptions:
    """Of a convolutional baseline.

    Attributes:
        side: Of the pictures that it looks at, in pixels.
        channels: Of the first convolution; the second has twice as many.
        hidden: Units of the hidden layer.
    """

    side: int = 16
    channels: int = 16
    hidden: int = 64

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            InputError: A number out of range.
        """
        use_plain_numbers(self)
        check_sizes(self, ("side", "channels", "hidden"))


@register_model("cnn")
class Cnn(AskedClassifier):
    """Convolutions of a picture, and a hidden layer that sees them and the question's words."""

    options_type = CnnOptions

    def __init__(self, options: CnnOptions, classes: Sequence[str], words: Sequence[str]) -> None:
        """Two convolutions of stride 2, pooled, and two linear maps."""
        super().__init__(options, classes, words)
        width = options.channels
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(POOLED),
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Linear(2 * width * POOLED**2 + len(words), options.hidden),
            nn.ReLU(),
            nn.Linear(options.hidden, len(classes)),
        )

    def forward(
        self, images: Tensor, words: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the classes; with labels their loss too.

        Args:
            images: ``(B, 3, side, side)``, 0 to 1.
            words: ``(B, words)``, 0 or 1.
            labels: ``(B,)`` indices of classes.
        """
        seen = torch.cat([self.features(images), words], dim=1)
        return self.scored(self.head(seen), labels)
