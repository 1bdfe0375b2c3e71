"""What quantum kernels are worth beside classical ones: classes, numbers, concentration, causes.

`options` says what is asked, `data` opens the sets, `cells` sends each cell to its part
(`classification`, `concentration`, `regression`, `independence`), `summary` reduces the rows,
`tables` prints and `plots` draws them, and `study` puts these together.
"""

from qvlm_qiskit.studies.kernels.study import KernelStudy

__all__ = ["KernelStudy"]
