"""How the same weights fare on one calibration after another.

`options` says which calibrations, `cells` evaluates a run on one of them, `summary` reduces the
rows, `plots` draws them over time, and `study` puts these together.
"""

from qvlm_qiskit.studies.drift.study import DriftStudy

__all__ = ["DriftStudy"]
