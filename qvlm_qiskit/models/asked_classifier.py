"""A classifier that is told the question, where its data asks more than one."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models.classifier import Classifier, texts_of
from qvlm_qiskit.models.pixel_tensors import pixels


class AskedClassifier(Classifier):
    """Which training answer fits a picture and the words of a question.

    Left to write are ``__init__`` and ``forward(images, words, labels=None)``; `options_type` has
    ``side``, that of the pictures in pixels, unless `seen` is written too.

    Attributes:
        words: The words of the training questions; none where all ask the same.
    """

    def __init__(self, options: Any, classes: Sequence[str], words: Sequence[str]) -> None:
        """Keep classes and words; to be called first in a subclass's ``__init__``.

        Args:
            options: Of `options_type`.
            classes: Answers.
            words: Of questions.
        """
        super().__init__(options, classes)
        self.learned["words"] = self.words = list(words)

    @classmethod
    def learn(cls, samples: Samples) -> dict[str, Any]:
        """The classes, and the words of the questions."""
        asked = {question for question, _ in texts_of(samples)}
        words = sorted(set().union(*map(words_of, asked))) if len(asked) > 1 else []
        return {**super().learn(samples), "words": words}

    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """``images`` of `seen`, and ``words`` ``(B, words)``: 1 for those that occur.

        Words that the training questions lacked count for nothing.
        """
        numbers = {word: number for number, word in enumerate(self.words)}
        words = torch.zeros(len(samples), len(self.words))
        for row, sample in enumerate(samples):
            known = [numbers[word] for word in words_of(sample.question) if word in numbers]
            words[row, known] = 1.0
        return {"images": self.seen(samples), "words": words}

    def sample(
        self, image: Image.Image, question: str | None, questions: Mapping[str, str]
    ) -> Sample:
        """An image and a question; where all training questions are the same, none is needed.

        Raises:
            InputError: No question, or one without a word of the training questions.
        """
        if self.words and question is None:
            raise InputError("the model is told the question: ask one with --question")
        asked = super().sample(image, question, questions)
        if self.words and not set(words_of(asked.question)) & set(self.words):
            known = shorten(" ".join(self.words), 200, placeholder=" …")
            raise InputError(f"the model knows no word of {asked.question!r}: it knows {known}")
        return asked

    def seen(self, samples: Sequence[Sample]) -> Tensor:
        """Pictures as `forward` is given them: by default ``(B, 3, side, side)`` from 0 to 1."""
        return pixels(samples, self.options.side)


def words_of(question: str) -> list[str]:
    """Its words in their order, in small letters; no punctuation.

    Marks belong to their letters, as the vowels of Devanagari and Thai do, which a regular
    expression's ``w`` leaves out; composed and decomposed letters are the same.
    """
    text = unicodedata.normalize("NFC", question.lower())
    return "".join(one if _of_a_word(one) else " " for one in text).split()


def _of_a_word(sign: str) -> bool:
    return sign == "_" or unicodedata.category(sign)[0] in "LMN"
