"""All answers of an evaluation from one batch."""

from __future__ import annotations

from qvlm_qiskit.evaluation import Evaluation, Exam, evaluate_exam
from qvlm_qiskit.inference.prefetch import prefetch
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.models.hybrid_vlm import VisionLanguageModel


def answer_in_one_batch(exam: Exam, ahead: bool) -> Evaluation:
    """Answer all questions in one forward pass per word, asking for every row once.

    Args:
        exam: The model, on any estimator, and the questions.
        ahead: Whether to `prefetch`. A model that answers in one pass asks for all rows anyway.

    Raises:
        JobPending: A detached estimator's answers are not there yet.
    """
    model = exam.model
    with asked_once(model.module):
        if ahead and isinstance(model, VisionLanguageModel):
            prefetch(model.model, model.processor, exam.samples)
        return evaluate_exam(exam, batch_size=len(exam))
