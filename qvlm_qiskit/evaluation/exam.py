"""What an evaluation is about: a model and the samples that it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qvlm_qiskit.data import Sample
from qvlm_qiskit.models.protocol import AnsweringModel


@dataclass(frozen=True)
class Exam:
    """A model and the questions that it is to answer.

    Attributes:
        model: In evaluation mode, on any estimator.
        samples: Questions with their images and accepted answers.
    """

    model: AnsweringModel
    samples: Sequence[Sample]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def references(self) -> list[tuple[str, ...]]:
        """Per sample, all answers or captions that people gave; where it says none, its answer."""
        return [one.said for one in self.samples]

    def answered(
        self, answers: Mapping[str, Sequence[str]], limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Every question with what was answered, those with a wrong answer first.

        Args:
            answers: Whose answers → them, in the order of the questions; of the first ones only,
                perhaps.
            limit: So many entries.

        Returns:
            ``index``, ``kind``, ``question``, ``expected``, ``answers``, and whose are ``wrong``.
        """
        found = []
        for index, sample in enumerate(self.samples):
            given = {name: said[index] for name, said in answers.items() if index < len(said)}
            found.append(
                {
                    "index": index,
                    "kind": sample.kind,
                    "question": sample.question,
                    "expected": sample.answer,
                    "answers": given,
                    "wrong": [
                        name for name, said in given.items() if not self.model.accepts(sample, said)
                    ],
                }
            )
        return sorted(found, key=lambda entry: not entry["wrong"])[:limit]
