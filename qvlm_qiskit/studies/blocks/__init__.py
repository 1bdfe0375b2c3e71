"""Every block on the same data with the same budget, beside twins, costs, noise and simulability.

`options` is what is asked, `cells` who is trained, `costs` what a step and a machine take,
`simulation` how hard a circuit is to simulate, `noise` what is left of it under noise, `summary`
what the rows say, and `study` puts them together.
"""

from qvlm_qiskit.studies.blocks.study import BlocksStudy as BlocksStudy
