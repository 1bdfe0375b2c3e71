"""How much a kernel matrix still says: mean and variance of its entries off the diagonal."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qvlm_qiskit.basics.numbers import check_whole
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.readings.final_states import Values, real_rows

MOST_QUBITS = 511


class Concentration(NamedTuple):
    """Of the entries above the diagonal.

    Attributes:
        mean: Their mean.
        variance: Their variance (unbiased).
        pairs: How many there are; they are not independent.
    """

    mean: float
    variance: float
    pairs: int

    @property
    def shots(self) -> float:
        """With how many shots sampling spreads an entry as much as entries differ.

        An entry K of S shots has the variance K (1 − K) / S; taken at the mean.
        """
        return self.mean * (1 - self.mean) / self.variance if self.variance else math.inf


def concentration(matrix: Values) -> Concentration:
    """Mean and variance of K off the diagonal.

    Args:
        matrix: K, ``(N, N)``, symmetric.

    Raises:
        InputError: No square matrix of at least three rows of real numbers, or NaN.
    """
    values = real_rows(matrix).double().numpy()
    if values.ndim != 2 or len(values) != len(values.T) or len(values) < 3:
        raise InputError(f"a kernel matrix is square and has 3 rows at least, got {values.shape}")
    off = values[np.triu_indices(len(values), 1)]
    if not np.isfinite(off).all():
        raise InputError("the kernel matrix holds NaN or infinity")
    with np.errstate(over="ignore", invalid="ignore"):
        mean, variance = float(off.mean()), float(off.var(ddof=1))
    if not math.isfinite(mean) or not math.isfinite(variance):
        raise InputError("the kernel matrix holds numbers so large that they have no variance")
    return Concentration(mean, variance, len(off))


def of_random_states(qubits: int) -> tuple[float, float]:
    """Mean and variance of the fidelity of two random states: where concentration ends.

    With d = 2ⁿ the fidelity with a fixed state has the distribution Beta(1, d − 1).

    Args:
        qubits: n, up to 511: beyond, double precision has no such small variance.

    Raises:
        InputError: Another number.
    """
    check_whole("qubits", qubits, 1, MOST_QUBITS)
    mean = 2.0**-qubits
    return mean, mean**2 * (1 - mean) / (1 + mean)
