"""Noise as plain data, the Aer noise model that is built from it, and our own engine's channels.

`snapshot` and `calibrated` read a device's calibration, `parse_parametric` and the families that
it names (`depolarizing`, `thermal`, …) write one from a formula, `combined` puts formulas on top of
either, `scaled` makes all of it stronger or weaker, `diff` lists what changed. `build` turns a
description into an Aer `NoiseModel`, `ChannelNoise` into the channels of the density-matrix
engine; the two agree.
"""

if __name__ != "qvlm_qiskit.noise_models":
    raise ImportError("this package is imported as qvlm_qiskit.noise_models, not as noise_models")

from qvlm_qiskit.noise_models.build import build, spec_target
from qvlm_qiskit.noise_models.calibration import calibrated, snapshot
from qvlm_qiskit.noise_models.comparison import Difference, diff
from qvlm_qiskit.noise_models.crosstalk import with_crosstalk
from qvlm_qiskit.noise_models.engine import ChannelNoise
from qvlm_qiskit.noise_models.entries import GateNoise, QubitNoise, Snapshot
from qvlm_qiskit.noise_models.parametric import (
    FAMILIES,
    amplitude_damping,
    combined,
    depolarizing,
    over_rotation,
    parse_parametric,
    phase_damping,
    readout,
    signatures,
    split_terms,
    thermal,
    zz,
)
from qvlm_qiskit.noise_models.restriction import restricted
from qvlm_qiskit.noise_models.scaling import scaled
from qvlm_qiskit.noise_models.sources import (
    AmplitudeDamping,
    Depolarizing,
    NoiseSource,
    OverRotation,
    PhaseDamping,
    Readout,
    ThermalRelaxation,
    ZZCrosstalk,
)
from qvlm_qiskit.noise_models.spec import NoiseSpec

__all__ = [
    "FAMILIES",
    "AmplitudeDamping",
    "ChannelNoise",
    "Depolarizing",
    "Difference",
    "GateNoise",
    "NoiseSource",
    "NoiseSpec",
    "OverRotation",
    "PhaseDamping",
    "QubitNoise",
    "Readout",
    "Snapshot",
    "ThermalRelaxation",
    "ZZCrosstalk",
    "amplitude_damping",
    "build",
    "calibrated",
    "combined",
    "depolarizing",
    "diff",
    "over_rotation",
    "parse_parametric",
    "phase_damping",
    "readout",
    "restricted",
    "scaled",
    "signatures",
    "snapshot",
    "spec_target",
    "split_terms",
    "thermal",
    "with_crosstalk",
    "zz",
]
