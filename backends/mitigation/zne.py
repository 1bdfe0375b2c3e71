"""Zero-noise extrapolation with two-qubit gates folded in the ISA circuit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.folding import FoldedCircuits
from qvlm_qiskit.backends.mitigation.mitigator import Expansion, Mitigator, answer, values
from qvlm_qiskit.backends.mitigation.mitiq_bridge import (
    LINEAR_FACTORIES,
    check_installed,
    exponential_limits,
    zero_noise_weights,
)
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.techniques import Zne

Floats = NDArray[np.float64]
# An exponential through values that may have the other sign is no fit.
MIN_SIGNIFICANCE = 3.0


class ZeroNoiseExtrapolated(Mitigator):
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
        super().__init__(inner)
        options = Zne(tuple(scale_factors), extrapolation, asymptote)
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
        pubs = [
            EstimatorPub(
                self._folded.get(pub.circuit, factor),
                pub.observables,
                pub.parameter_values,
                pub.precision,
                validate=False,
            )
            for factor in self.scale_factors
        ]
        return Expansion(pubs, self._combined)

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """√(Σ c_k²) of the extrapolation's weights c; "exp" depends on the values."""
        if self.extrapolation not in LINEAR_FACTORIES:
            return None
        return math.sqrt(sum(weight**2 for weight in self.weights))

    def _combined(self, runs: Sequence[Any], model: Any, spent: Sequence[Any]) -> PubResult:
        measured, errors = values(runs)  # (K, *shape) each
        weights = np.asarray(self.weights)
        evs = np.asarray(np.tensordot(weights, measured, axes=1))
        stds = np.asarray(np.sqrt(np.tensordot(weights**2, errors**2, axes=1)))
        details: dict[str, Any] = {}
        if self.extrapolation == "exp":
            fitted = self._exponential(measured, errors, evs, stds)
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
