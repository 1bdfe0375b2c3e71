"""Data sets, one file each, and the way of their samples into a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if TYPE_CHECKING:
    from qvlm_qiskit.data.batch import PromptBatch, encode_prompts, encode_training
    from qvlm_qiskit.data.digits import DIGIT_QUESTIONS, DigitCanvases
    from qvlm_qiskit.data.images import open_image
    from qvlm_qiskit.data.registry import DataSet, data_set, open_data
    from qvlm_qiskit.data.sample import Sample

_HOMES = {
    "DIGIT_QUESTIONS": "digits",
    "DataSet": "registry",
    "DigitCanvases": "digits",
    "PromptBatch": "batch",
    "Sample": "sample",
    "data_set": "registry",
    "encode_prompts": "batch",
    "encode_training": "batch",
    "open_data": "registry",
    "open_image": "images",
}

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
    "open_image",
]

__getattr__ = lazy_names(__name__, _HOMES)
