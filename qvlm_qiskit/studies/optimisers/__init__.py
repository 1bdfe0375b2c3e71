"""What optimisers of a variational classifier cost, counted in circuits.

`options` says what is compared, `problem` makes the data and the circuit, `objective` answers
losses, gradients and fidelities and counts what a machine would be asked, `ways` are the
optimisers, `cells` runs one of them, `summary` reduces the rows, and `study` puts these together.
"""

from qvlm_qiskit.studies.optimisers.study import OptimiserStudy

__all__ = ["OptimiserStudy"]
