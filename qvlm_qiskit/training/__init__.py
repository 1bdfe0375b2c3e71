"""Training: from options to a run folder.

`start` trains, `place` is where, `models` what, `machine` on what, and `trainer` is transformers'
own with a log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names
from qvlm_qiskit.recipes import TrainingOptions

if TYPE_CHECKING:
    from qvlm_qiskit.training.machine import TrainingBackend, check_trainable
    from qvlm_qiskit.training.models import build_model, configuration
    from qvlm_qiskit.training.place import check_place, checkpointed, partial_folder
    from qvlm_qiskit.training.start import train

_HOMES = {
    "TrainingBackend": "machine",
    "build_model": "models",
    "check_place": "place",
    "check_trainable": "machine",
    "checkpointed": "place",
    "configuration": "models",
    "partial_folder": "place",
    "train": "start",
}

__all__ = [
    "TrainingBackend",
    "TrainingOptions",
    "build_model",
    "check_place",
    "check_trainable",
    "checkpointed",
    "configuration",
    "partial_folder",
    "train",
]

__getattr__ = lazy_names(__name__, _HOMES)
