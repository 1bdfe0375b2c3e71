"""Training: from options to a run folder, exactly, on samples, or through the ledger.

`start` trains, `place` is where, `models` what, `machine` on what, and `trainer` is transformers'
own with a log. Through a ledger `plan` says what every step costs, `ledger` writes it down, and
`step` asks for all that a step needs at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names
from qvlm_qiskit.recipes import TrainingOptions

if TYPE_CHECKING:
    from qvlm_qiskit.training.ledger import Ledger
    from qvlm_qiskit.training.machine import TrainingBackend, check_trainable
    from qvlm_qiskit.training.models import Subject, build_model, configuration, options_from
    from qvlm_qiskit.training.place import check_place, checkpointed, partial_folder
    from qvlm_qiskit.training.plan import TrainingPlan, plan_training
    from qvlm_qiskit.training.start import train

_HOMES = {
    "Ledger": "ledger",
    "Subject": "models",
    "TrainingPlan": "plan",
    "options_from": "models",
    "plan_training": "plan",
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
    "Ledger",
    "Subject",
    "TrainingBackend",
    "TrainingOptions",
    "TrainingPlan",
    "build_model",
    "check_place",
    "check_trainable",
    "checkpointed",
    "configuration",
    "options_from",
    "partial_folder",
    "plan_training",
    "train",
]

__getattr__ = lazy_names(__name__, _HOMES)
