"""Data sets, one file each, and the way of their samples into a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qvlm_qiskit.data.batch import PromptBatch, encode_prompts, encode_training
    from qvlm_qiskit.data.digits import DIGIT_QUESTIONS, DigitCanvases, Sample

_HOMES = {
    "DIGIT_QUESTIONS": "digits",
    "DigitCanvases": "digits",
    "PromptBatch": "batch",
    "Sample": "digits",
    "encode_prompts": "batch",
    "encode_training": "batch",
}

__all__ = [
    "DIGIT_QUESTIONS",
    "DigitCanvases",
    "PromptBatch",
    "Sample",
    "encode_prompts",
    "encode_training",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: an image file is read without torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qvlm_qiskit.data' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"qvlm_qiskit.data.{_HOMES[name]}"), name)
