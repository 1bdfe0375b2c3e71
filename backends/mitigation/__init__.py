"""Error mitigation as estimator wrappers around ISA estimators.

Every technique is a `Mitigator`: it expands an ISA pub into the pubs that it needs, plans them for
the preflight, and combines their results into values with standard errors that contain the
mitigation's own. Their names and parameters are in `qvlm_qiskit.backends.mitigation.techniques`;
`mitigation_wrappers` turns a name into wrappers. They nest, from the device outwards: twirling,
readout, then one technique that goes to zero noise.
"""

from __future__ import annotations

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
