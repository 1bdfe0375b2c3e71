"""All answers of an evaluation from one batch."""

from __future__ import annotations

from dataclasses import dataclass

from qvlm_qiskit.evaluation import Evaluation, Exam, evaluate_exam
from qvlm_qiskit.evaluation.loss import exam_tokens
from qvlm_qiskit.evaluation.metrics import Material
from qvlm_qiskit.inference.prefetch import prefetch
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.models.hybrid_vlm import VisionLanguageModel


@dataclass(frozen=True)
class Way:
    """How an evaluation is made.

    Attributes:
        ahead: Whether to `prefetch`. A model that answers in one pass asks for all rows anyway.
        tokens: Whether metrics want to know what the model gives the right answers' tokens: one
            more forward pass, behind the answers.
    """

    ahead: bool
    tokens: bool = False


def answer_in_one_batch(exam: Exam, way: Way) -> tuple[Evaluation, Material]:
    """Answer all questions in one forward pass per word, asking for every row once.

    Args:
        exam: The model, on any estimator, and the questions.
        way: What else is asked for.

    Returns:
        The answers, and what metrics are computed of.

    Raises:
        InputError: A question, or with `Way.tokens` an answer, is longer than what the model reads.
        JobPending: A detached estimator's answers are not there yet.
    """
    model = exam.model
    model.check_questions(exam.samples)
    with asked_once(model.module):
        if way.ahead and isinstance(model, VisionLanguageModel):
            prefetch(model, exam.samples)
        found = evaluate_exam(exam, batch_size=len(exam))
        tokens = exam_tokens(exam, batch_size=len(exam)) if way.tokens else None
    return found, found.material(exam, tokens)
