"""All answers of an evaluation from one batch."""

from __future__ import annotations

from collections.abc import Sequence

from qvlm_qiskit.data import Sample
from qvlm_qiskit.evaluation import Evaluation, evaluate
from qvlm_qiskit.inference.prefetch import prefetch
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor


def answer_in_one_batch(
    model: HybridVLM, processor: HybridVLMProcessor, samples: Sequence[Sample], ahead: bool
) -> Evaluation:
    """Answer all questions in one forward pass per word, asking for every row once.

    Args:
        model: On any estimator.
        processor: The one it was trained with.
        samples: The questions.
        ahead: Whether to `prefetch`.

    Raises:
        JobPending: A detached estimator's answers are not there yet.
    """
    with asked_once(model):
        if ahead:
            prefetch(model, processor, samples)
        return evaluate(model, processor, samples, batch_size=len(samples))
