"""Data sets, one file each, and the way of their samples into a batch."""

from qvlm_qiskit.data.batch import PromptBatch, encode_prompts, encode_training
from qvlm_qiskit.data.digits import DIGIT_QUESTIONS, DigitCanvases
from qvlm_qiskit.data.registry import DataSet, data_set, open_data
from qvlm_qiskit.data.sample import Sample

__all__ = [
    "DIGIT_QUESTIONS",
    "DataSet",
    "DigitCanvases",
    "PromptBatch",
    "Sample",
    "data_set",
    "encode_prompts",
    "encode_training",
    "open_data",
]
