"""Metrics, one file each, and the intervals of what they measure."""

from qvlm_qiskit.evaluation.metrics.intervals import (
    CONFIDENCE,
    Accuracy,
    PairedDifference,
    paired_difference,
)
from qvlm_qiskit.evaluation.metrics.measure import Material, Measurement, Metrics
from qvlm_qiskit.evaluation.metrics.metric import (
    Measured,
    SampleMean,
    TextMetric,
    TokenMetric,
    TokenScores,
    VerdictMetric,
)
from qvlm_qiskit.evaluation.metrics.registry import find_metric, register_metric

__all__ = [
    "CONFIDENCE",
    "Accuracy",
    "Material",
    "Measured",
    "Measurement",
    "Metrics",
    "PairedDifference",
    "SampleMean",
    "TextMetric",
    "TokenMetric",
    "TokenScores",
    "VerdictMetric",
    "find_metric",
    "paired_difference",
    "register_metric",
]
