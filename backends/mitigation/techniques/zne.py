"""Zero-noise extrapolation with two-qubit gates folded in the ISA circuit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.folding import FoldedCircuits, odd_scales
from qvlm_qiskit.backends.mitigation.mitigator import Expansion, Mitigator, answer, values
from qvlm_qiskit.backends.mitigation.mitiq_bridge import (
    LINEAR_FACTORIES,
    check_installed,
    exponential_limits,
    zero_noise_weights,
)
from qvlm_qiskit.backends.mitigation.near_clifford import constant_and_norm
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.step import (
    MitigatedDevice,
    Step,
    technique,
    written,
)
from qvlm_qiskit.basics.numbers import is_real
from qvlm_qiskit.errors import MitigationError

Floats = NDArray[np.float64]
# An exponential through values that may have the other sign is no fit.
MIN_SIGNIFICANCE = 3.0
FACTORIES = (*LINEAR_FACTORIES, "exp")


@technique(also=("readout+zne",), candidates=("zne", "readout+zne"))
class Zne(Step):
    """Zero-noise extrapolation over folded two-qubit gates, with mitiq's fits.

    Attributes:
        scales: Odd noise scale factors that start with 1.
        factory: The extrapolation: "linear", "richardson", "quadratic", or "exp", which decays
            towards `asymptote`.
        asymptote: The value at infinite noise that "exp" takes for every observable, its multiple
            of the identity not counted.
    """

    name = "zne"
    fractional = False
    corrects = "gates"
    scales: tuple[int, ...] = (1, 3, 5)
    factory: str = "linear"
    asymptote: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", odd_scales(self.scales))
        self.one_of("factory", FACTORIES)
        needed = 3 if self.factory == "quadratic" else 2
        if len(self.scales) < needed:
            raise MitigationError(
                f"{self.factory} extrapolation needs at least {needed} distinct scale factors, "
                f"not {self.scales}"
            )
        if not is_real(self.asymptote):
            self.refuse("asymptote", "it must be a number")
        if self.asymptote != 0 and self.factory != "exp":
            self.refuse("asymptote", f"factory={self.factory} has no asymptote, only exp has")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return (
            f"two-qubit gates folded to noise factors {written(self.scales)} and extrapolated to "
            f"zero ({self.factory})"
        )

    def check(self, device: MitigatedDevice) -> None:
        """Make sure that mitiq is installed."""
        check_installed()

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> ZeroNoiseExtrapolated:
        """`ZeroNoiseExtrapolated` with these parameters."""
        return ZeroNoiseExtrapolated(inner, self.scales, self.factory, self.asymptote)


class ZeroNoiseExtrapolated(Mitigator[Zne]):
    """Runs every pub at several noise strengths and extrapolates to none.

    At the odd scale factor λ every two-qubit gate G is replaced by G(G⁻¹G)^((λ−1)/2), which is the
    same unitary with λ times its noise; one-qubit gates and readout are not amplified, so only the
    two-qubit share of the error is extrapolated. Every factor is one parametrised circuit, which
    all parameter rows share.

    "linear", "richardson" and "quadratic" are weighted sums Σ c_k·E_k with the standard error
    √(Σ c_k²·σ_k²). "exp" fits a + b·exp(−c·λ) with the given asymptote a where all values lie on
    one side of a by three standard errors, and is linear elsewhere: an exponential through values
    of either sign has no limit. The metadata counts both. Its error is propagated to first order.

    Source: Temme, Bravyi, Gambetta, Phys. Rev. Lett. 119, 180509 (2017); gate folding after
    Giurgica-Tiron et al., arXiv:2005.10921; the fits are mitiq's.

    Args:
        inner: Runs ISA pubs.
        scale_factors: Odd whole numbers, the first is 1.
        extrapolation: "linear", "richardson", "quadratic" or "exp".
        asymptote: Value of every observable at infinite noise, for "exp".

    Raises:
        MitigationError: Scale factors that can't be folded, or an unknown extrapolation.
        MissingDependencyError: mitiq is not installed.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        scale_factors: Sequence[int] = Zne.scales,
        extrapolation: str = Zne.factory,
        asymptote: float = Zne.asymptote,
    ) -> None:
        options = Zne(tuple(scale_factors), extrapolation, asymptote)
        super().__init__(inner, options)
        check_installed()
        self.scale_factors = options.scales
        self.extrapolation = options.factory
        self.asymptote = options.asymptote
        self._scales = tuple(float(factor) for factor in options.scales)
        linear = extrapolation if extrapolation in LINEAR_FACTORIES else "linear"
        self.weights = zero_noise_weights(linear, self._scales)
        self._folded = FoldedCircuits()

    def expand(self, pub: EstimatorPub) -> Expansion:
        """One pub per scale factor."""
        constants = [constant for constant, _ in constant_and_norm(pub.observables)]
        shaped = np.broadcast_to(np.reshape(constants, pub.observables.shape), pub.shape)
        return Expansion(
            self._folded.pubs(pub, self.scale_factors), partial(self._combined, shaped)
        )

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """√(Σ c_k²) of the extrapolation's weights c; "exp" depends on the values."""
        if self.extrapolation not in LINEAR_FACTORIES:
            return None
        return math.sqrt(sum(weight**2 for weight in self.weights))

    def _combined(
        self, constants: Floats, runs: Sequence[Any], model: Any, spent: Sequence[Any]
    ) -> PubResult:
        measured, errors = values(runs)  # (K, *shape) each
        weights = np.asarray(self.weights)
        evs = np.asarray(np.tensordot(weights, measured, axes=1))
        stds = np.asarray(np.sqrt(np.tensordot(weights**2, errors**2, axes=1)))
        details: dict[str, Any] = {}
        if self.extrapolation == "exp":
            # what the identity adds does not decay
            fitted = self._exponential(measured - constants, errors, evs, stds)
            evs[fitted] += constants[fitted]
            details = {"asymptote": self.asymptote, "exponential_values": int(fitted.sum())}
            details["linear_values"] = int(fitted.size - fitted.sum())
        else:
            details = {"weights": list(self.weights)}
        metadata = mitigated_metadata(
            [run.metadata for run in runs],
            "zne",
            float(len(runs)),
            spent,
            scale_factors=list(self.scale_factors),
            extrapolation=self.extrapolation,
            **details,
        )
        return answer(evs, stds, metadata)

    def _exponential(
        self, measured: Floats, errors: Floats, evs: Floats, stds: Floats
    ) -> NDArray[np.bool_]:
        """Overwrite `evs` and `stds` where the exponential can be fitted; where that is."""
        distance = measured - self.asymptote
        clear = np.abs(distance) > MIN_SIGNIFICANCE * errors + 1e-6
        one_side = np.all(distance > 0, axis=0) | np.all(distance < 0, axis=0)
        fitted: NDArray[np.bool_] = np.asarray(np.all(clear, axis=0) & one_side)
        curves = measured[:, fitted]  # (K, N)
        if not curves.size:
            return fitted
        limits = exponential_limits(self._scales, curves, self.asymptote)
        variance = np.zeros_like(limits)
        for k in range(len(self._scales)):
            step = 1e-4 * np.abs(curves[k] - self.asymptote)
            high, low = curves.copy(), curves.copy()
            high[k] += step
            low[k] -= step
            slope = (
                exponential_limits(self._scales, high, self.asymptote)
                - exponential_limits(self._scales, low, self.asymptote)
            ) / (2 * step)
            variance += (slope * errors[k][fitted]) ** 2
        evs[fitted], stds[fitted] = limits, np.sqrt(variance)
        return fitted
