"""Answers from a trained model, and what they are worth, with confidence intervals."""

from qvlm_qiskit.evaluation.evaluate import (
    Evaluation,
    evaluate,
    evaluate_exam,
    majority_baseline,
    shuffle_images,
)
from qvlm_qiskit.evaluation.exam import Exam
from qvlm_qiskit.evaluation.expectations import ExpectationError, capture_rows, expectation_errors
from qvlm_qiskit.evaluation.metrics import (
    Accuracy,
    Material,
    Measurement,
    Metrics,
    PairedDifference,
    paired_difference,
)
from qvlm_qiskit.models.generate import answer

__all__ = [
    "Accuracy",
    "Evaluation",
    "Exam",
    "ExpectationError",
    "Material",
    "Measurement",
    "Metrics",
    "PairedDifference",
    "answer",
    "capture_rows",
    "evaluate",
    "evaluate_exam",
    "expectation_errors",
    "majority_baseline",
    "paired_difference",
    "shuffle_images",
]
