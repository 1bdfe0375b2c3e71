"""What every quantum block adds: each quantum, matched classical, frozen random, or left out.

It is a comparison (`qvlm_qiskit.studies.compare`) whose variants are those of the model's places,
with what gates learned and what parts cost beside the answers: `options`, `study`, `learned`,
`plots`.
"""

from qvlm_qiskit.studies.ablation.study import AblationStudy as AblationStudy
