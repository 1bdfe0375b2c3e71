"""Tests of conditional independence and causal discovery with a quantum kernel (qPC).

The test is the kernel-based one of Zhang et al. (UAI 2011), the search the PC algorithm, both of
causal-learn; only the kernel is exchanged, as in arXiv:2501.05007. Whether a pair is found
dependent rests on that kernel: one that is not characteristic overlooks some dependences, and one
that can't fit what the conditioning variables explain finds dependences that are none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.basics.numbers import check_whole, is_real, plain_number
from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.errors import InputError, arrived
from qvlm_qiskit.kernels.checks import MOST, in_one_line, points, scaled
from qvlm_qiskit.kernels.kernel import QuantumKernel

Array = npt.NDArray[np.float64]
LEAST_ROWS = 10


@dataclass(frozen=True)
class CopiedKernel:
    """A quantum kernel of variables, each given to several features of the map.

    A variable by itself is a single number, of which a map of one feature makes one qubit. With
    copies the map has more qubits, and its kernel more frequencies.

    Attributes:
        kernel: The kernel of the copies.
        copies: Features for each variable.
    """

    kernel: QuantumKernel = field(default_factory=lambda: QuantumKernel(scale=0.3))
    copies: int = 2

    def __post_init__(self) -> None:
        """Refuse less than one copy, and what is no kernel.

        Raises:
            InputError: So.
        """
        check_whole("copies", self.copies, 1, MOST)
        _check_kernel(self.kernel)

    def __call__(self, X: npt.ArrayLike) -> Array:  # noqa: N803
        """The matrix ``(N, N)`` of values ``(N, variables)``."""
        return self.kernel(np.repeat(points(X), self.copies, axis=1))


Gram: TypeAlias = Callable[[Array], Array]
"""Standardised values ``(N, variables)`` → a positive semidefinite matrix ``(N, N)``."""


class Discovery(NamedTuple):
    """What the PC algorithm found.

    Attributes:
        skeleton: ``(variables, variables)``, symmetric: which are joined.
        directed: ``(variables, variables)``: entry (i, j) is i → j; both ways where a test
            contradicts another.
        graph: causal-learn's own.
    """

    skeleton: npt.NDArray[np.bool_]
    directed: npt.NDArray[np.bool_]
    graph: Any


def independence_pvalue(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    z: npt.ArrayLike | None = None,
    kernel: Gram | None = None,
) -> float:
    """The p-value of "x and y are independent, given z", by the gamma approximation.

    Args:
        x: Values ``(N,)`` or ``(N, d)``.
        y: Likewise.
        z: What is conditioned on, likewise; None: nothing.
        kernel: Of standardised values; of x with z, as of the test, the values of z are halved.
            None: causal-learn's Gaussian kernel with its empirical width.

    Raises:
        InputError: NaN, different numbers of rows, fewer than 10, or a constant variable.
        MissingDependencyError: causal-learn is not installed.
    """
    kernel = _checked(kernel)
    parts = [_variables(one) for one in ((x, y) if z is None else (x, y, z))]
    if len({len(one) for one in parts}) > 1:
        raise InputError(f"variables have different numbers of rows: {[len(p) for p in parts]}")
    widths = np.cumsum([0, *(part.shape[1] for part in parts)])
    columns = [list(range(a, b)) for a, b in pairwise(widths)]
    test = _kci().kernel_test(_data(np.concatenate(parts, axis=1)), kernel)
    return float(test(columns[0], columns[1], columns[2] if z is not None else []))


def discover(data: npt.ArrayLike, kernel: Gram | None = None, alpha: float = 0.05) -> Discovery:
    """The PC algorithm on a table of variables.

    Args:
        data: Values ``(N, variables)``.
        kernel: As of :func:`independence_pvalue`.
        alpha: Level of each test.

    Raises:
        InputError: NaN, fewer than 10 rows or 2 variables, a constant variable, or a level outside
            (0, 1).
        MissingDependencyError: causal-learn is not installed.
    """
    kernel = _checked(kernel)
    if not is_real(plain_number(alpha)) or not 0 < alpha < 1:
        raise InputError(f"alpha is a level between 0 and 1, got {arrived(alpha)}")
    rows = _data(data)
    if rows.shape[1] < 2:
        raise InputError("causal discovery needs at least 2 variables, got 1")
    graph = _kci().search(rows, kernel, alpha)
    ends = graph.G.graph
    skeleton = ends != 0
    return Discovery(skeleton, skeleton & (ends.T == 1), graph)


def require_causal_learn() -> None:
    """Refuse before anything is computed.

    Raises:
        MissingDependencyError: causal-learn is not installed.
    """
    _kci()


def _check_kernel(kernel: object) -> None:
    """A class can be called, too, but makes a kernel and no matrix."""
    if not callable(kernel) or isinstance(kernel, type):
        raise InputError(
            f"kernel is a function of points, such as a QuantumKernel; got {arrived(kernel)}"
        )


def _checked(kernel: Gram | None) -> Gram | None:
    """The kernel, whose matrices are looked at; None stays None."""
    if kernel is None:
        return None
    _check_kernel(kernel)

    def gram(rows: Array) -> Array:
        found = np.asarray(kernel(rows))
        square = found.shape == (len(rows), len(rows))
        if not square or found.dtype.kind not in "fiu" or not np.isfinite(found).all():
            raise InputError(
                f"the kernel of {len(rows)} points is no matrix ({len(rows)}, {len(rows)}) of "
                f"finite real numbers: {arrived(found)}"
            )
        return found

    return gram


def _variables(given: npt.ArrayLike) -> Array:
    with in_one_line():
        array = np.asarray(given)
    return points(array[:, None] if array.ndim == 1 else array)


def _data(given: npt.ArrayLike) -> Array:
    rows = points(given, least=LEAST_ROWS)
    rows, _ = scaled(rows)
    constant = np.flatnonzero(np.ptp(rows, axis=0) == 0)
    if len(constant):
        raise InputError(f"variable {constant[0]} is constant: it depends on nothing")
    return rows


def _kci() -> Any:
    with optional("causal", "causal discovery", causallearn="causal-learn"):
        from qvlm_qiskit.kernels import kci
    return kci
