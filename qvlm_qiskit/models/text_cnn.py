"""A small convolution over the words of the question (Kim, arXiv:1408.5882), without a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import use_plain_numbers
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.models.asked_classifier import AskedClassifier
from qvlm_qiskit.models.registry import register_model
from qvlm_qiskit.models.sizes import check_sizes
from qvlm_qiskit.models.word_tokens import WordTokens

WINDOWS = (2, 3, 4)
"""Words that a filter sees at a time; the source has 3, 4 and 5, for longer sentences."""


@dataclass(frozen=True)
class TextCnnOptions:
    """Of a convolution over words.

    Attributes:
        tokens: Words that are read; shorter questions are padded.
        width: Channels of a word's embedding.
        channels: Filters of every window.
    """

    tokens: int = 8
    width: int = 16
    channels: int = 16

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            InputError: A number out of range.
        """
        use_plain_numbers(self)
        check_sizes(self, ("tokens", "width", "channels"))


@register_model("text-cnn")
class TextCnn(AskedClassifier):
    """Filters of several windows, the greatest value of each over the words, and a linear map.

    The source begins with embeddings that were trained before and has dropout; here neither is.
    """

    options_type = TextCnnOptions

    def __init__(
        self, options: TextCnnOptions, classes: Sequence[str], words: Sequence[str]
    ) -> None:
        """Embeddings, a convolution for each window, and the map.

        Raises:
            InputError: All training questions are the same.
        """
        super().__init__(options, classes, words)
        self.embed = WordTokens(words, options.tokens, options.width)
        self.filters = nn.ModuleList(
            nn.Conv1d(options.width, options.channels, window, padding=window - 1)
            for window in WINDOWS
        )
        self.head = nn.Linear(len(WINDOWS) * options.channels, len(classes))

    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """``words`` ``(B, tokens)``: numbers of the first words."""
        return {"words": self.embed.numbers([one.question for one in samples])}

    def forward(self, words: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Logits of the classes; with labels their loss too.

        Args:
            words: ``(B, tokens)`` numbers of words.
            labels: ``(B,)`` indices of classes.
        """
        embedded = self.embed(words).transpose(1, 2)
        found = [torch.relu(one(embedded)).amax(-1) for one in self.filters]
        return self.scored(self.head(torch.cat(found, dim=1)), labels)
