"""A model of one's own whose answers are those that its training samples had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.models.own_model import OwnModel


class Classifier(OwnModel):
    """Left to write are ``__init__``, ``inputs``, and ``forward``, which returns `scored`.

    Attributes:
        classes: The different answers of the training samples, in the order of the alphabet.
    """

    def __init__(self, options: Any, classes: Sequence[str], **learned: Any) -> None:
        """Keep the classes; to be called first in a subclass's ``__init__``.

        Args:
            options: Of `options_type`.
            classes: Answers.
            learned: What else `learn` has found.
        """
        super().__init__(options, classes=list(classes), **learned)
        self.classes = list(classes)

    @classmethod
    def learn(cls, samples: Samples) -> dict[str, Any]:
        """The classes."""
        return {"classes": sorted({answer for _, answer in texts_of(samples)})}

    def labels(self, samples: Sequence[Sample]) -> Tensor:
        """Indices of classes, ``(B,)``.

        Raises:
            UnknownNameError: An answer that the training samples lacked.
        """
        for sample in samples:
            if sample.answer not in self.classes:
                hint = "The training samples have no such answer"
                raise UnknownNameError(f"class of {self.name}", sample.answer, self.classes, hint)
        return torch.tensor([self.classes.index(sample.answer) for sample in samples])

    def scored(self, logits: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """What ``forward`` returns: ``logits`` ``(B, classes)``, with labels their loss too."""
        if labels is None:
            return {"logits": logits}
        return {"loss": cross_entropy(logits, labels), "logits": logits}

    def texts(self, output: Mapping[str, Any]) -> list[str]:
        """The class with the greatest logit."""
        return [self.classes[number] for number in output["logits"].argmax(-1).tolist()]

    def notes(self, samples: Sequence[Sample]) -> list[str]:
        """How many samples have an answer that is none of the classes."""
        unknown = [s for s in samples if not any(self.accepts(s, name) for name in self.classes)]
        if not unknown:
            return []
        return [
            f"{len(unknown)} of {len(samples)} samples have an answer that the training samples "
            f"lacked, such as {unknown[0].answer!r}: they are counted as wrong"
        ]


def texts_of(samples: Samples) -> list[tuple[str, str]]:
    """Questions and answers, without opening the pictures where those are read from files."""
    texts = getattr(samples, "texts", None)
    return list(texts()) if texts else [(one.question, one.answer) for one in samples]
