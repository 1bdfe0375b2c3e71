"""What is kept of an evaluation that is done: answers, accuracy and the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.data import Sample
from qvlm_qiskit.evaluation import Evaluation


def result_of(
    found: Evaluation, samples: Sequence[Sample], backend: Backend, seconds: float
) -> dict[str, Any]:
    """The result of a run, JSON-able, without its costs.

    Args:
        found: The evaluation.
        samples: Its questions, in order.
        backend: Where it ran.
        seconds: How long its last forward pass took.
    """
    return {
        **found.as_dict(),
        "questions": [
            {
                "kind": sample.kind,
                "question": sample.question,
                "expected": sample.answer,
                "answer": answer,
                "correct": right,
            }
            for sample, answer, right in zip(samples, found.answers, found.correct, strict=True)
        ],
        "backend": backend.describe(),
        "seconds_replay": round(seconds, 2),
    }
