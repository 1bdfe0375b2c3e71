"""A data set's accuracies: the quantum model, its classical twin, and small baselines.

`options` is what is asked, `variants` who is compared, `cells` the work of one process, `summary`
what the rows say, and `study` puts them together.
"""

from qvlm_qiskit.studies.compare.study import CompareStudy as CompareStudy
