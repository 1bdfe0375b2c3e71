"""Error mitigation as estimator wrappers around ISA estimators.

A technique is one file in `techniques`: a `Step` under the decorator `technique`, with its
parameters, where it works, and its estimator. Nearly every such estimator is a `Mitigator`: it
expands an ISA pub into the pubs that it needs, plans them for the preflight, and combines their
results into values with standard errors that contain the mitigation's own. `names` reads and
writes the names, and `mitigation_wrappers` turns them into wrappers. They nest, from the device
outwards: twirling, readout, then one technique that goes to zero noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if TYPE_CHECKING:
    from qvlm_qiskit.backends.mitigation.layer_description import learned_noise
    from qvlm_qiskit.backends.mitigation.mitigator import (
        EstimatorWrapper,
        Expansion,
        Mitigator,
        Training,
        answer,
        values,
    )
    from qvlm_qiskit.backends.mitigation.names import offered
    from qvlm_qiskit.backends.mitigation.report import Cost, cost_of, mitigated_metadata
    from qvlm_qiskit.backends.mitigation.step import (
        MitigatedDevice,
        Step,
        mitigation_wrappers,
        technique,
    )
    from qvlm_qiskit.backends.mitigation.techniques.auto import AutoMitigated
    from qvlm_qiskit.backends.mitigation.techniques.cdr import CliffordRegressed
    from qvlm_qiskit.backends.mitigation.techniques.learned_zne import LearnedExtrapolation
    from qvlm_qiskit.backends.mitigation.techniques.pea import NoiseAmplified
    from qvlm_qiskit.backends.mitigation.techniques.pec import ErrorCancelled, LearnedErrorCancelled
    from qvlm_qiskit.backends.mitigation.techniques.readout import ReadoutMitigated
    from qvlm_qiskit.backends.mitigation.techniques.twirling import PauliTwirled
    from qvlm_qiskit.backends.mitigation.techniques.zne import ZeroNoiseExtrapolated
    from qvlm_qiskit.backends.mitigation.trials import Choice, Trial

_HOMES = {
    "AutoMitigated": "techniques.auto",
    "Choice": "trials",
    "CliffordRegressed": "techniques.cdr",
    "Cost": "report",
    "ErrorCancelled": "techniques.pec",
    "EstimatorWrapper": "mitigator",
    "Expansion": "mitigator",
    "LearnedErrorCancelled": "techniques.pec",
    "LearnedExtrapolation": "techniques.learned_zne",
    "MitigatedDevice": "step",
    "Mitigator": "mitigator",
    "NoiseAmplified": "techniques.pea",
    "PauliTwirled": "techniques.twirling",
    "ReadoutMitigated": "techniques.readout",
    "Step": "step",
    "Training": "mitigator",
    "Trial": "trials",
    "ZeroNoiseExtrapolated": "techniques.zne",
    "answer": "mitigator",
    "cost_of": "report",
    "learned_noise": "layer_description",
    "mitigated_metadata": "report",
    "mitigation_wrappers": "step",
    "offered": "names",
    "technique": "step",
    "values": "mitigator",
}

__all__ = [
    "AutoMitigated",
    "Choice",
    "CliffordRegressed",
    "Cost",
    "ErrorCancelled",
    "EstimatorWrapper",
    "Expansion",
    "LearnedErrorCancelled",
    "LearnedExtrapolation",
    "MitigatedDevice",
    "Mitigator",
    "NoiseAmplified",
    "PauliTwirled",
    "ReadoutMitigated",
    "Step",
    "Training",
    "Trial",
    "ZeroNoiseExtrapolated",
    "answer",
    "cost_of",
    "learned_noise",
    "mitigated_metadata",
    "mitigation_wrappers",
    "offered",
    "technique",
    "values",
]

__getattr__ = lazy_names(__name__, _HOMES)
