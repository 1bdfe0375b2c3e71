"""How accuracy, loss and expectation values suffer under noise: a grid, row by row.

`grid` has the options, `models` says which models meet which machines, `cells` evaluates one on the
other, `summary` reduces the rows, `noise_report` shows them, and `study` puts these together.
`sweep` is the demo's short one.
"""

from qvlm_qiskit.studies.noise.study import NoiseStudy, run_noise_study

__all__ = ["NoiseStudy", "run_noise_study"]
