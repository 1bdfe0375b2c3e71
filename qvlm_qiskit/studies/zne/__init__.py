"""Noise extrapolated to zero over a grid of error probabilities: networks, and fits as controls.

`options` says which circuits under which noise, `limits` extrapolates, `cells` measures one circuit
on the whole grid, `summary` reduces the rows, and `study` puts these together.
"""

from qvlm_qiskit.studies.zne.study import ZneStudy as ZneStudy
