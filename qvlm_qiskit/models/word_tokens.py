"""The words of a question as tokens, for models that read them one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models.asked_classifier import words_of

PADDING, UNKNOWN = 0, 1
"""Numbers of what stands behind a short question, and of a word that no training question had."""


class WordTokens(nn.Module):
    """Numbers of words → their embeddings.

    The unknown word's embedding is zero and stays so, since no training question has it.
    """

    def __init__(self, words: Sequence[str], tokens: int, width: int) -> None:
        """Make the embeddings.

        Args:
            words: Of the training questions.
            tokens: To which a question is cut or padded.
            width: Channels of a word.

        Raises:
            InputError: No words: all training questions are the same, or have none.
        """
        super().__init__()
        if not words:
            raise InputError(
                "all training questions are the same, or have no words: there is nothing to read"
            )
        self.tokens = tokens
        self._known = {word: number for number, word in enumerate(words, start=UNKNOWN + 1)}
        self.table = nn.Embedding(len(words) + UNKNOWN + 1, width)
        nn.init.zeros_(self.table.weight[UNKNOWN])

    def numbers(self, questions: Sequence[str]) -> Tensor:
        """Their first words, ``(B, tokens)``: numbers of entries."""
        found = torch.full((len(questions), self.tokens), PADDING)
        for row, question in enumerate(questions):
            words = words_of(question)[: self.tokens]
            known = [self._known.get(word, UNKNOWN) for word in words]
            found[row, : len(words)] = torch.tensor(known, dtype=torch.long)
        return found

    def forward(self, numbers: Tensor) -> Tensor:
        """``(B, tokens)`` → ``(B, tokens, width)``."""
        embedded: Tensor = self.table(numbers)
        return embedded
