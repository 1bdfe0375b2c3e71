"""What it is worth to replace the layers of a small network by circuits, one after the other.

`options` says what is trained, `networks` has the steps of the ladder and their controls, `cells`
trains one of them, `summary` reduces the rows, and `study` puts these together.
"""

from qvlm_qiskit.studies.replacement.study import ReplacementStudy

__all__ = ["ReplacementStudy"]
