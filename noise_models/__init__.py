"""Noise as plain data, the Aer noise model that is built from it, and our own engine's channels.

`snapshot` and `calibrated` read a device's calibration, `parse_parametric` and the families that
it names (`depolarizing`, `thermal`, …) write one from a formula, `combined` puts formulas on top of
either, `scaled` makes all of it stronger or weaker, `only_kinds` keeps some kinds of error, `diff`
lists what changed. `build` turns a
description into an Aer `NoiseModel`, `ChannelNoise` into the channels of the density-matrix
engine; the two agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.basics.lazy import lazy_names

if __name__ != "qvlm_qiskit.noise_models":
    raise ImportError("this package is imported as qvlm_qiskit.noise_models, not as noise_models")

if TYPE_CHECKING:
    from qvlm_qiskit.noise_models.channels.aer_model import build, spec_target, with_idle
    from qvlm_qiskit.noise_models.channels.channel_noise import ChannelNoise
    from qvlm_qiskit.noise_models.channels.crosstalk import with_crosstalk
    from qvlm_qiskit.noise_models.channels.from_aer import read_noise_model
    from qvlm_qiskit.noise_models.channels.parts import kinds_of
    from qvlm_qiskit.noise_models.channels.selection import only_kinds
    from qvlm_qiskit.noise_models.description.calibration import calibrated, snapshot
    from qvlm_qiskit.noise_models.description.comparison import Difference, diff
    from qvlm_qiskit.noise_models.description.entries import GateNoise, QubitNoise, Snapshot
    from qvlm_qiskit.noise_models.description.kinds import KINDS, check_kinds, read_kinds
    from qvlm_qiskit.noise_models.description.parametric import (
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
    from qvlm_qiskit.noise_models.description.restriction import restricted
    from qvlm_qiskit.noise_models.description.scaling import scaled
    from qvlm_qiskit.noise_models.description.sources import (
        AmplitudeDamping,
        Depolarizing,
        NoiseSource,
        OverRotation,
        PhaseDamping,
        ReadoutError,
        ThermalRelaxation,
        ZZCrosstalk,
    )
    from qvlm_qiskit.noise_models.description.spec import NoiseSpec

_HOMES = {
    "AmplitudeDamping": "description.sources",
    "ChannelNoise": "channels.channel_noise",
    "Depolarizing": "description.sources",
    "Difference": "description.comparison",
    "FAMILIES": "description.parametric",
    "KINDS": "description.kinds",
    "GateNoise": "description.entries",
    "NoiseSource": "description.sources",
    "NoiseSpec": "description.spec",
    "OverRotation": "description.sources",
    "PhaseDamping": "description.sources",
    "QubitNoise": "description.entries",
    "ReadoutError": "description.sources",
    "Snapshot": "description.entries",
    "ThermalRelaxation": "description.sources",
    "ZZCrosstalk": "description.sources",
    "amplitude_damping": "description.parametric",
    "build": "channels.aer_model",
    "calibrated": "description.calibration",
    "check_kinds": "description.kinds",
    "combined": "description.parametric",
    "depolarizing": "description.parametric",
    "diff": "description.comparison",
    "kinds_of": "channels.parts",
    "only_kinds": "channels.selection",
    "over_rotation": "description.parametric",
    "parse_parametric": "description.parametric",
    "phase_damping": "description.parametric",
    "read_kinds": "description.kinds",
    "read_noise_model": "channels.from_aer",
    "readout": "description.parametric",
    "restricted": "description.restriction",
    "scaled": "description.scaling",
    "signatures": "description.parametric",
    "snapshot": "description.calibration",
    "spec_target": "channels.aer_model",
    "split_terms": "description.parametric",
    "thermal": "description.parametric",
    "with_crosstalk": "channels.crosstalk",
    "with_idle": "channels.aer_model",
    "zz": "description.parametric",
}

__all__ = [
    "FAMILIES",
    "KINDS",
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
    "ReadoutError",
    "Snapshot",
    "ThermalRelaxation",
    "ZZCrosstalk",
    "amplitude_damping",
    "build",
    "calibrated",
    "check_kinds",
    "combined",
    "depolarizing",
    "diff",
    "kinds_of",
    "only_kinds",
    "over_rotation",
    "parse_parametric",
    "phase_damping",
    "read_kinds",
    "read_noise_model",
    "readout",
    "restricted",
    "scaled",
    "signatures",
    "snapshot",
    "spec_target",
    "split_terms",
    "thermal",
    "with_crosstalk",
    "with_idle",
    "zz",
]

__getattr__ = lazy_names(__name__, _HOMES)
