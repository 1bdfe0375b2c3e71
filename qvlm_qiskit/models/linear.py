"""A linear baseline: pixels and words of the question → training answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import use_plain_numbers
from qvlm_qiskit.models.asked_classifier import AskedClassifier
from qvlm_qiskit.models.registry import register_model
from qvlm_qiskit.models.sizes import check_sizes


@dataclass(frozen=True)
class LinearOptions:
    """Of a linear baseline.

    Attributes:
        side: Of the pictures that it looks at, in pixels.
    """

    side: int = 16

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            InputError: A side out of range.
        """
        use_plain_numbers(self)
        check_sizes(self, ("side",))


@register_model("linear")
class Linear(AskedClassifier):
    """Multinomial logistic regression on pixels and words."""

    options_type = LinearOptions

    def __init__(
        self, options: LinearOptions, classes: Sequence[str], words: Sequence[str]
    ) -> None:
        """One linear map."""
        super().__init__(options, classes, words)
        self.map = nn.Linear(3 * options.side**2 + len(words), len(classes))

    def forward(
        self, images: Tensor, words: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the classes; with labels their loss too.

        Args:
            images: ``(B, 3, side, side)``, 0 to 1.
            words: ``(B, words)``, 0 or 1.
            labels: ``(B,)`` indices of classes.
        """
        return self.scored(self.map(torch.cat([images.flatten(1), words], dim=1)), labels)
