"""How a hybrid model fares under attack beside its classical twin.

`options` says what is attacked, `network` is the model, `attacks` changes its pictures, `cells`
trains and attacks one model, `summary` reduces the rows, and `study` puts these together.
"""

from qvlm_qiskit.studies.robustness.study import RobustnessStudy

__all__ = ["RobustnessStudy"]
