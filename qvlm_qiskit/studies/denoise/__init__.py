"""Noisy pictures made clean through a quantum latent space, its controls and linear filters.

`options` says what is compared, `pictures` finds the pictures, `similarity` compares two of them,
`cells` trains and measures, `summary` reduces the rows, `plots` draws them, and `study` puts these
together.
"""

from qvlm_qiskit.studies.denoise.study import DenoiseStudy

__all__ = ["DenoiseStudy"]
