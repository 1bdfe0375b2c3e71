"""Pictures fitted as functions of coordinates by a quantum visual field, its twin and others."""

from qvlm_qiskit.studies.field.study import FieldStudy

__all__ = ["FieldStudy"]
