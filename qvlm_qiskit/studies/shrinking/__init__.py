"""Optimisation with QAOA: all at once, and by merging variables whose correlation is strong.

`options` says which problems, `problems` has them with their constraints and repairs, `shrink`
merges variables, `cells` answers one problem by every method, `summary` reduces the rows, and
`study` puts these together. QUBOs and circuits are of `qvlm_qiskit.quantum`.
"""

from qvlm_qiskit.studies.shrinking.study import ShrinkingStudy as ShrinkingStudy
