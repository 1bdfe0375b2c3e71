"""Error mitigation as estimator wrappers around ISA estimators.

`ReadoutMitigated` inverts readout errors by rewriting observables, `ZeroNoiseExtrapolated` folds
two-qubit gates and extrapolates. They nest: zero-noise extrapolation outside, readout inside. A
wrapper is a `Technique`: it also plans what it would run, for the preflight.
"""

from __future__ import annotations

from qiskit.transpiler import Target

from qvlm_qiskit.backends.backend import Wrapper
from qvlm_qiskit.backends.mitigation.mitiq_bridge import zero_noise_weights
from qvlm_qiskit.backends.mitigation.readout import ReadoutMitigated
from qvlm_qiskit.backends.mitigation.technique import Technique
from qvlm_qiskit.backends.mitigation.zne import ZeroNoiseExtrapolated

WRAPPED_MITIGATIONS = ("none", "readout", "zne", "readout+zne")


def mitigation_wrappers(name: str, target: Target) -> tuple[Wrapper, ...]:
    """The wrappers, innermost first, that a mitigation name of `WRAPPED_MITIGATIONS` stands for.

    Args:
        name: The mitigation; the Runtime's own ("resilience-1") need no wrapper.
        target: The device, whose gates the calibration circuits use.

    Raises:
        MissingDependencyError: "zne" without mitiq.
    """
    wrappers: list[Wrapper] = []
    if name in ("readout", "readout+zne"):
        wrappers.append(lambda inner: ReadoutMitigated(inner, target))
    if name in ("zne", "readout+zne"):
        # Fails here, when the backend is opened, if mitiq is missing.
        zero_noise_weights("linear", (1.0, 3.0, 5.0))
        wrappers.append(ZeroNoiseExtrapolated)
    return tuple(wrappers)


__all__ = [
    "WRAPPED_MITIGATIONS",
    "ReadoutMitigated",
    "Technique",
    "ZeroNoiseExtrapolated",
    "mitigation_wrappers",
]
