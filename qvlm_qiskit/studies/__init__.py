"""Where models meet machines: the demo, the noise study, and their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qvlm_qiskit.studies.demo.demo import DemoOptions, run_demo
    from qvlm_qiskit.studies.demo.runtime_stage import recorded_inference
    from qvlm_qiskit.studies.noise.sweep import noise_sweep
    from qvlm_qiskit.studies.reports.report import render_report

_HOMES = {
    "DemoOptions": "demo.demo",
    "noise_sweep": "noise.sweep",
    "recorded_inference": "demo.runtime_stage",
    "render_report": "reports.report",
    "run_demo": "demo.demo",
}

__all__ = [
    "DemoOptions",
    "noise_sweep",
    "recorded_inference",
    "render_report",
    "run_demo",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qvlm_qiskit.studies' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"qvlm_qiskit.studies.{_HOMES[name]}"), name)
