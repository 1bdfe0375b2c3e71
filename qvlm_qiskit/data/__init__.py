"""Data sets, one file each, and the way of their samples into a batch."""

from qvlm_qiskit.data.batch import PromptBatch, encode_prompts, encode_training
from qvlm_qiskit.data.digits import DIGIT_QUESTIONS, DigitCanvases, Sample

__all__ = [
    "DIGIT_QUESTIONS",
    "DigitCanvases",
    "PromptBatch",
    "Sample",
    "encode_prompts",
    "encode_training",
]
