"""A quantum adapter between a pretrained vision tower and a pretrained language model.

`towers` opens the vision side and `decoders` the language side with its low-rank adapters;
`projection` is the circuit between them, `captioning` the tokens of prompts and answers, and
`modeling` what is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if TYPE_CHECKING:
    from qvlm_qiskit.adapter.configuration import ProjectionConfig
    from qvlm_qiskit.adapter.modeling import QuantumVisionLanguageModel
    from qvlm_qiskit.adapter.projection import QuantumProjection
    from qvlm_qiskit.adapter.towers import VisionTower

_HOMES = {
    "ProjectionConfig": "configuration",
    "QuantumProjection": "projection",
    "QuantumVisionLanguageModel": "modeling",
    "VisionTower": "towers",
}

__all__ = [
    "ProjectionConfig",
    "QuantumProjection",
    "QuantumVisionLanguageModel",
    "VisionTower",
]

__getattr__ = lazy_names(__name__, _HOMES)
