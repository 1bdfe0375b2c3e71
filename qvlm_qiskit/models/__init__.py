"""What a run folder may hold: `HybridVLM`, or a model that a user has written.

`protocol` is all that the rest of the package knows of one. `own_model` and `classifier` are what a
user derives one from, `registry` finds it, and `hybrid_vlm` is the adapter of `HybridVLM`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if TYPE_CHECKING:
    from qvlm_qiskit.models.classifier import Classifier
    from qvlm_qiskit.models.generate import answer
    from qvlm_qiskit.models.hybrid_vlm import VisionLanguageModel
    from qvlm_qiskit.models.own_model import OwnModel
    from qvlm_qiskit.models.pixel_tensors import pixels
    from qvlm_qiskit.models.protocol import AnsweringModel
    from qvlm_qiskit.models.registry import find_model, register_model

_HOMES = {
    "AnsweringModel": "protocol",
    "Classifier": "classifier",
    "OwnModel": "own_model",
    "VisionLanguageModel": "hybrid_vlm",
    "answer": "generate",
    "find_model": "registry",
    "pixels": "pixel_tensors",
    "register_model": "registry",
}

__all__ = [
    "AnsweringModel",
    "Classifier",
    "OwnModel",
    "VisionLanguageModel",
    "answer",
    "find_model",
    "pixels",
    "register_model",
]

__getattr__ = lazy_names(__name__, _HOMES)
