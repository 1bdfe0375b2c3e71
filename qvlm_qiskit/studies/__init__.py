"""Where models meet machines: the demo, the noise sweep, evaluations by jobs, and their reports."""

from qvlm_qiskit.studies.demo import DemoOptions, run_demo
from qvlm_qiskit.studies.export import export_run
from qvlm_qiskit.studies.inference import recorded_inference
from qvlm_qiskit.studies.noise import noise_sweep
from qvlm_qiskit.studies.report import render_report
from qvlm_qiskit.studies.request import SubmitOptions
from qvlm_qiskit.studies.resumption import (
    cancel_evaluation,
    continue_evaluation,
    retry_evaluation,
    submit_evaluation,
)
from qvlm_qiskit.studies.submission import (
    EvaluationPlan,
    plan_evaluation,
    start_evaluation,
)

__all__ = [
    "DemoOptions",
    "EvaluationPlan",
    "SubmitOptions",
    "cancel_evaluation",
    "continue_evaluation",
    "export_run",
    "noise_sweep",
    "plan_evaluation",
    "recorded_inference",
    "render_report",
    "retry_evaluation",
    "run_demo",
    "start_evaluation",
    "submit_evaluation",
]
