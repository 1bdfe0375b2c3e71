"""What an evaluation is about: a model, its processor, and the samples that it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qvlm_qiskit.data import Sample
from qvlm_qiskit.data.batch import PromptBatch, encode_prompts
from qvlm_qiskit.evaluation.generate import check_lengths
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.recipes import MAX_NEW_TOKENS


@dataclass(frozen=True)
class Exam:
    """A model and the questions that it is to answer.

    Attributes:
        model: In evaluation mode, on any estimator.
        processor: The one that it was trained with.
        samples: Questions with their images and accepted answers.
        max_new_tokens: Longest answer in tokens.
    """

    model: HybridVLM
    processor: HybridVLMProcessor
    samples: Sequence[Sample]
    max_new_tokens: int = MAX_NEW_TOKENS

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def references(self) -> list[tuple[str, ...]]:
        """Per sample, all answers or captions that people gave; where it says none, its answer."""
        return [getattr(one, "references", ()) or (one.answer,) for one in self.samples]

    def check(self) -> None:
        """Refuse what can't be asked, before anything runs.

        Raises:
            InputError: A question is longer than what the model reads.
        """
        questions = [sample.question for sample in self.samples]
        check_lengths(self.model, self.processor, questions, self.max_new_tokens)

    def longer_than(self, tokens: int) -> int:
        """How many samples have no reference of at most so many tokens."""
        tokenizer = self.processor.tokenizer
        shortest = (
            min(map(len, tokenizer(list(texts), add_special_tokens=False)["input_ids"]))
            for texts in self.references
        )
        return sum(length > tokens for length in shortest)

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
                    "wrong": [name for name, said in given.items() if not sample.accepts(said)],
                }
            )
        return sorted(found, key=lambda entry: not entry["wrong"])[:limit]

    def prompts(self) -> PromptBatch:
        """All questions as one batch.

        Raises:
            InputError: No samples.
        """
        images = [sample.image for sample in self.samples]
        return encode_prompts(self.processor, images, [s.question for s in self.samples])
