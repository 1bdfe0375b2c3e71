"""Where models meet machines: the demo, the noise sweep, recorded inference, and their report."""

from qvlm_qiskit.studies.demo import DemoOptions, run_demo
from qvlm_qiskit.studies.inference import recorded_inference
from qvlm_qiskit.studies.noise import noise_sweep
from qvlm_qiskit.studies.report import render_report

__all__ = ["DemoOptions", "noise_sweep", "recorded_inference", "render_report", "run_demo"]
