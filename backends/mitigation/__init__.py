"""Error mitigation as estimator wrappers around ISA estimators.

Every technique is a `Mitigator`: it expands an ISA pub into the pubs that it needs, plans them for
the preflight, and combines their results into values with standard errors that contain the
mitigation's own. Their names and parameters are in `qvlm_qiskit.backends.mitigation.techniques`;
`mitigation_wrappers` turns a name into wrappers. They nest, from the device outwards: twirling,
readout, then one technique that goes to zero noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qvlm_qiskit.backends.mitigation.auto import AutoMitigated, Choice, Trial
    from qvlm_qiskit.backends.mitigation.build import MitigatedDevice, mitigation_wrappers
    from qvlm_qiskit.backends.mitigation.cdr import CliffordRegressed
    from qvlm_qiskit.backends.mitigation.learned import LearnedExtrapolation
    from qvlm_qiskit.backends.mitigation.mitigator import Mitigator, Technique
    from qvlm_qiskit.backends.mitigation.pec import ErrorCancelled
    from qvlm_qiskit.backends.mitigation.readout import ReadoutMitigated
    from qvlm_qiskit.backends.mitigation.report import Cost, cost_of
    from qvlm_qiskit.backends.mitigation.twirling import PauliTwirled
    from qvlm_qiskit.backends.mitigation.zne import ZeroNoiseExtrapolated

_HOMES = {
    "AutoMitigated": "auto",
    "Choice": "auto",
    "CliffordRegressed": "cdr",
    "Cost": "report",
    "ErrorCancelled": "pec",
    "LearnedExtrapolation": "learned",
    "MitigatedDevice": "build",
    "Mitigator": "mitigator",
    "PauliTwirled": "twirling",
    "ReadoutMitigated": "readout",
    "Technique": "mitigator",
    "Trial": "auto",
    "ZeroNoiseExtrapolated": "zne",
    "cost_of": "report",
    "mitigation_wrappers": "build",
}

__all__ = [
    "AutoMitigated",
    "Choice",
    "CliffordRegressed",
    "Cost",
    "ErrorCancelled",
    "LearnedExtrapolation",
    "MitigatedDevice",
    "Mitigator",
    "PauliTwirled",
    "ReadoutMitigated",
    "Technique",
    "Trial",
    "ZeroNoiseExtrapolated",
    "cost_of",
    "mitigation_wrappers",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: the names of mitigations are read without Qiskit."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qvlm_qiskit.backends.mitigation' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"qvlm_qiskit.backends.mitigation.{_HOMES[name]}"), name)
