"""Exact-match accuracy of a model on samples, and the baselines to set beside it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.exam import Exam
from qvlm_qiskit.evaluation.metrics import Accuracy, Material
from qvlm_qiskit.evaluation.metrics.metric import TokenScores
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.models.hybrid_vlm import VisionLanguageModel

Judge = Callable[[str, Sample], bool]
"""(answer, sample) → whether it is right."""


@dataclass(frozen=True)
class Evaluation:
    """Answers to a list of questions, and which of them are right.

    Attributes:
        answers: As generated.
        correct: Exact match with the accepted answer.
        kinds: Kind of each question.
    """

    answers: tuple[str, ...]
    correct: tuple[bool, ...]
    kinds: tuple[str, ...]

    @property
    def accuracy(self) -> Accuracy:
        """Over all questions."""
        return Accuracy(sum(self.correct), len(self.correct))

    @property
    def by_kind(self) -> dict[str, Accuracy]:
        """Per kind of question, in order of first appearance."""
        groups: dict[str, list[bool]] = defaultdict(list)
        for kind, right in zip(self.kinds, self.correct, strict=True):
            groups[kind].append(right)
        return {kind: Accuracy(sum(rows), len(rows)) for kind, rows in groups.items()}

    def material(self, exam: Exam, tokens: TokenScores | None = None) -> Material:
        """What metrics are computed of.

        Args:
            exam: What was asked.
            tokens: What the model gives the right answers' tokens, where a metric needs it.
        """
        return Material(self.answers, exam.references, self.correct, tokens, self.kinds)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **self.accuracy.as_dict(),
            "by_kind": {kind: a.as_dict() for kind, a in self.by_kind.items()},
        }


def evaluate(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: Iterable[Sample],
    *,
    batch_size: int = 100,
    track: Track = silent,
    what: str = "evaluation",
) -> Evaluation:
    """Ask every question and compare with the accepted answer, word for word.

    The model runs on whatever estimator it was moved to with ``model.run_on``.

    Raises:
        InputError: No samples, or a batch size below 1.
    """
    exam = Exam(VisionLanguageModel(model, processor), list(samples))
    return evaluate_exam(exam, batch_size=batch_size, track=track, what=what)


def evaluate_exam(
    exam: Exam, *, batch_size: int = 100, track: Track = silent, what: str = "evaluation"
) -> Evaluation:
    """`evaluate` of what belongs together.

    Args:
        exam: The model and its questions.
        batch_size: Questions per forward pass.
        track: Opens progress bars.
        what: The bar's name.

    Raises:
        InputError: No samples, a batch size below 1, or a question that is longer than what the
            model reads.
    """
    if not exam.samples or batch_size < 1:
        raise InputError(
            f"evaluation needs at least 1 sample and a batch size of at least 1, got "
            f"{len(exam)} and {batch_size}"
        )
    exam.model.check_questions(exam.samples)
    answers: list[str] = []
    with track(what, len(exam)) as report:
        for start in range(0, len(exam), batch_size):
            answers += exam.model.answers(exam.samples[start : start + batch_size])
            report(len(answers))
    return judge(answers, exam.samples, lambda answer, sample: exam.model.accepts(sample, answer))


def judge(
    answers: Sequence[str], samples: Sequence[Sample], accepts: Judge | None = None
) -> Evaluation:
    """Compare answers with samples.

    Args:
        answers: One per sample.
        samples: With what is right.
        accepts: Says so; by default the sample itself.
    """
    right = accepts or (lambda answer, sample: sample.accepts(answer))
    return Evaluation(
        answers=tuple(answers),
        correct=tuple(right(a, s) for a, s in zip(answers, samples, strict=True)),
        kinds=tuple(s.kind for s in samples),
    )


def majority_baseline(training: Iterable[Sample], samples: Sequence[Sample]) -> Evaluation:
    """Answer every kind of question with its most frequent answer in the training data."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in training:
        counts[sample.kind][sample.answer] += 1
    most = {kind: counter.most_common(1)[0][0] for kind, counter in counts.items()}
    return judge([most.get(s.kind, "") for s in samples], samples)


def shuffle_images(samples: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """The same questions and answers, each with another sample's image.

    What a model still answers correctly then, it does not know from the image.

    Raises:
        InputError: Fewer than 2 samples.
    """
    if len(samples) < 2:
        raise InputError("shuffling images needs at least 2 samples")
    # a random cycle: every image moves
    order = np.random.default_rng(seed).permutation(len(samples))
    shuffled = list(samples)
    for here, there in zip(order, np.roll(order, 1), strict=True):
        shuffled[here] = replace(samples[here], image=samples[there].image)
    return shuffled
