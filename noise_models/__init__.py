"""Noise as plain data, and the Aer noise model that is built from it.

`calibrated` reads a device's calibration, `depolarizing` writes a parametric description, `scaled`
makes either stronger or weaker, and `build` turns it into an Aer `NoiseModel`.
"""

if __name__ != "qvlm_qiskit.noise_models":
    raise ImportError("this package is imported as qvlm_qiskit.noise_models, not as noise_models")

from qvlm_qiskit.noise_models.build import build
from qvlm_qiskit.noise_models.calibration import calibrated
from qvlm_qiskit.noise_models.parametric import depolarizing, parse_parametric
from qvlm_qiskit.noise_models.scaling import scaled
from qvlm_qiskit.noise_models.spec import GateNoise, NoiseSpec, QubitNoise

__all__ = [
    "GateNoise",
    "NoiseSpec",
    "QubitNoise",
    "build",
    "calibrated",
    "depolarizing",
    "parse_parametric",
    "scaled",
]
