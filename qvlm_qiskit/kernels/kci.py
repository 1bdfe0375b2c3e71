"""causal-learn's kernel-based test of conditional independence, with any kernel in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from causallearn.search.ConstraintBased.PC import pc
from causallearn.utils.cit import KCI, CIT_Base, register_ci_test
from causallearn.utils.KCI.KCI import KCI_CInd, KCI_UInd
from causallearn.utils.KCI.Kernel import Kernel
from scipy.stats import zscore

Array = npt.NDArray[np.float64]
Gram = Callable[[Array], Array]
NAME = "qvlm-kernel"


class _Unconditional(KCI_UInd):  # type: ignore[misc]
    def __init__(self, kernel: Gram) -> None:
        super().__init__()
        self.gram = kernel

    def kernel_matrix(self, data_x: Array, data_y: Array) -> tuple[Array, Array]:
        return self.gram(zscore(data_x, ddof=1)), self.gram(zscore(data_y, ddof=1))


class _Conditional(KCI_CInd):  # type: ignore[misc]
    def __init__(self, kernel: Gram) -> None:
        super().__init__()
        self.gram = kernel

    def kernel_matrix(self, data_x: Array, data_y: Array, data_z: Array) -> tuple[Array, ...]:
        """Centred matrices of x with z, of y, and twice of z, as causal-learn has them."""
        x, y, z = (zscore(data, ddof=1) for data in (data_x, data_y, data_z))
        together = np.concatenate([x, 0.5 * z], axis=1)
        kx, ky, kz = (
            Kernel.center_kernel_matrix(self.gram(rows)) for rows in (together, y, z)
        )  # fmt: skip
        return kx, ky, kz, kz


class KernelTest(CIT_Base):  # type: ignore[misc]
    """A test of conditional independence as causal-learn's searches take it."""

    def __init__(self, data: Array, kernel: Gram, **options: Any) -> None:
        """Keep the data.

        Args:
            data: Values ``(N, variables)``.
            kernel: Of standardised values.
            options: Of causal-learn's base class.
        """
        super().__init__(data, **options)
        self.check_cache_method_consistent("kci", NAME)
        self.unconditional, self.conditional = _Unconditional(kernel), _Conditional(kernel)

    def __call__(self, X: Any, Y: Any, condition_set: Any = None) -> float:  # noqa: N803
        """The p-value of two sets of columns, given others."""
        xs, ys, given, key = self.get_formatted_XYZ_and_cachekey(X, Y, condition_set)
        if key not in self.pvalue_cache:
            x, y = self.data[:, xs], self.data[:, ys]
            found = (
                self.conditional.compute_pvalue(x, y, self.data[:, given])
                if given
                else self.unconditional.compute_pvalue(x, y)
            )
            self.pvalue_cache[key] = found[0]
        return float(self.pvalue_cache[key])


register_ci_test(NAME, KernelTest)


def kernel_test(data: Array, kernel: Gram | None) -> Any:
    """The test with a kernel, or causal-learn's own with its Gaussian one."""
    return KCI(data) if kernel is None else KernelTest(data, kernel)


def search(data: Array, kernel: Gram | None, alpha: float) -> Any:
    """The PC algorithm; returns causal-learn's graph."""
    if kernel is None:
        return pc(data, alpha, "kci", show_progress=False)
    return pc(data, alpha, NAME, show_progress=False, kernel=kernel)
