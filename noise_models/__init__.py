"""Noise as plain data, the Aer noise model that is built from it, and our own engine's channels.

`snapshot` and `calibrated` read a device's calibration, `parse_parametric` and the families that
it names (`depolarizing`, `thermal`, …) write one from a formula, `combined` puts formulas on top of
either, `scaled` makes all of it stronger or weaker, `diff` lists what changed. `build` turns a
description into an Aer `NoiseModel`, `ChannelNoise` into the channels of the density-matrix
engine; the two agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ != "qvlm_qiskit.noise_models":
    raise ImportError("this package is imported as qvlm_qiskit.noise_models, not as noise_models")

if TYPE_CHECKING:
    from qvlm_qiskit.noise_models.aer_model import build, spec_target
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

_HOMES = {
    "AmplitudeDamping": "sources",
    "ChannelNoise": "engine",
    "Depolarizing": "sources",
    "Difference": "comparison",
    "FAMILIES": "parametric",
    "GateNoise": "entries",
    "NoiseSource": "sources",
    "NoiseSpec": "spec",
    "OverRotation": "sources",
    "PhaseDamping": "sources",
    "QubitNoise": "entries",
    "Readout": "sources",
    "Snapshot": "entries",
    "ThermalRelaxation": "sources",
    "ZZCrosstalk": "sources",
    "amplitude_damping": "parametric",
    "build": "aer_model",
    "calibrated": "calibration",
    "combined": "parametric",
    "depolarizing": "parametric",
    "diff": "comparison",
    "over_rotation": "parametric",
    "parse_parametric": "parametric",
    "phase_damping": "parametric",
    "readout": "parametric",
    "restricted": "restriction",
    "scaled": "scaling",
    "signatures": "parametric",
    "snapshot": "calibration",
    "spec_target": "aer_model",
    "split_terms": "parametric",
    "thermal": "parametric",
    "with_crosstalk": "crosstalk",
    "zz": "parametric",
}

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


def __getattr__(name: str) -> Any:
    """Import a public name on first use: a formula's names are read without Qiskit."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qvlm_qiskit.noise_models' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"qvlm_qiskit.noise_models.{_HOMES[name]}"), name)
