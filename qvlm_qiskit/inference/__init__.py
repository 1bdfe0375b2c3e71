"""Paid inference: an evaluation of a model as jobs that survive whoever began it.

`request` is what is asked; `preflight` and `plan` say what it costs, and `afford` refuses what
costs too much. `start` writes it down, `drive` goes on with it until all is answered by one
`batch`, and `result` is what is kept of it. `cancel` stops it, `prefetch` asks for what it may
need next, `same_rows` makes it the same numbers on every computer, and `export` gives it away as
files. `noise_learning` buys what a machine's noise is learned from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if TYPE_CHECKING:
    from qvlm_qiskit.inference.cancel import cancel_evaluation
    from qvlm_qiskit.inference.drive import Waiting, continue_evaluation, retry_evaluation
    from qvlm_qiskit.inference.export import export_run
    from qvlm_qiskit.inference.noise_learning import LearningTask, begin_learning, learn_noise
    from qvlm_qiskit.inference.plan import EvaluationPlan, plan_evaluation
    from qvlm_qiskit.inference.request import SubmitOptions
    from qvlm_qiskit.inference.start import start_evaluation, submit_evaluation

_HOMES = {
    "EvaluationPlan": "plan",
    "LearningTask": "noise_learning",
    "SubmitOptions": "request",
    "Waiting": "drive",
    "begin_learning": "noise_learning",
    "cancel_evaluation": "cancel",
    "continue_evaluation": "drive",
    "export_run": "export",
    "learn_noise": "noise_learning",
    "plan_evaluation": "plan",
    "retry_evaluation": "drive",
    "start_evaluation": "start",
    "submit_evaluation": "start",
}

__all__ = [
    "EvaluationPlan",
    "LearningTask",
    "SubmitOptions",
    "Waiting",
    "begin_learning",
    "cancel_evaluation",
    "continue_evaluation",
    "export_run",
    "learn_noise",
    "plan_evaluation",
    "retry_evaluation",
    "start_evaluation",
    "submit_evaluation",
]

__getattr__ = lazy_names(__name__, _HOMES)
