"""Where models meet machines: the demo, the noise sweep, evaluations by jobs, and their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qvlm_qiskit.studies.cancellation import cancel_evaluation
    from qvlm_qiskit.studies.demo import DemoOptions, run_demo
    from qvlm_qiskit.studies.export import export_run
    from qvlm_qiskit.studies.inference import recorded_inference
    from qvlm_qiskit.studies.noise import noise_sweep
    from qvlm_qiskit.studies.report import render_report
    from qvlm_qiskit.studies.request import SubmitOptions
    from qvlm_qiskit.studies.resumption import (
        continue_evaluation,
        retry_evaluation,
        submit_evaluation,
    )
    from qvlm_qiskit.studies.submission import (
        EvaluationPlan,
        plan_evaluation,
        start_evaluation,
    )

_HOMES = {
    "DemoOptions": "demo",
    "EvaluationPlan": "submission",
    "SubmitOptions": "request",
    "cancel_evaluation": "cancellation",
    "continue_evaluation": "resumption",
    "export_run": "export",
    "noise_sweep": "noise",
    "plan_evaluation": "submission",
    "recorded_inference": "inference",
    "render_report": "report",
    "retry_evaluation": "resumption",
    "run_demo": "demo",
    "start_evaluation": "submission",
    "submit_evaluation": "resumption",
}

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


def __getattr__(name: str) -> Any:
    """Import a public name on first use: what only reads a ledger needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qvlm_qiskit.studies' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"qvlm_qiskit.studies.{_HOMES[name]}"), name)
