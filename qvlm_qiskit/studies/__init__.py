"""Where models meet machines: the demo, the studies, and their reports.

A study is a file of this folder, or a package for a large one; `grid_study` says what it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if TYPE_CHECKING:
    from qvlm_qiskit.studies.demo.demo import run_demo
    from qvlm_qiskit.studies.demo.options import DemoOptions
    from qvlm_qiskit.studies.demo.runtime_stage import recorded_inference
    from qvlm_qiskit.studies.grid_study import Execution, Option, Study, run_study
    from qvlm_qiskit.studies.noise.sweep import NoiseSweep, noise_sweep
    from qvlm_qiskit.studies.reports.report import render_report

_HOMES = {
    "DemoOptions": "demo.options",
    "Execution": "grid_study",
    "NoiseSweep": "noise.sweep",
    "Option": "grid_study",
    "Study": "grid_study",
    "noise_sweep": "noise.sweep",
    "recorded_inference": "demo.runtime_stage",
    "render_report": "reports.report",
    "run_demo": "demo.demo",
    "run_study": "grid_study",
}

__all__ = [
    "DemoOptions",
    "Execution",
    "NoiseSweep",
    "Option",
    "Study",
    "noise_sweep",
    "recorded_inference",
    "render_report",
    "run_demo",
    "run_study",
]

__getattr__ = lazy_names(__name__, _HOMES)
