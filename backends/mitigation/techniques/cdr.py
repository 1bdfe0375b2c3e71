"""Clifford data regression: the map from noisy to exact values, learned where both are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.mitigator import (
    Expansion,
    Mitigator,
    Training,
    answer,
    values,
)
from qvlm_qiskit.backends.mitigation.near_clifford import NearClifford, TrainingSet, TrainingSets
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step, technique
from qvlm_qiskit.backends.pubs.pauli_terms import pauli_terms
from qvlm_qiskit.errors import MitigationError

Floats = NDArray[np.float64]
# Noisy values whose squared deviations add up to less are constant, in units of the observable.
MIN_SQUARES = 1e-12
# Exact training values that vary by less (root mean square) determine no slope, likewise.
MIN_SPREAD = 1e-3


@technique(candidates=("readout+cdr",))
class Cdr(Step):
    """Clifford data regression: exact ≈ a·noisy + b, learned on near-Clifford circuits.

    Attributes:
        circuits: Number of training circuits.
        keep: Probability that a training circuit keeps an angle of the circuit itself.
    """

    name = "cdr"
    corrects = "gates"
    circuits: int = 24
    keep: float = 0.25

    def __post_init__(self) -> None:
        self.whole("circuits", 3)
        self.fraction("keep")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"values corrected by a line fitted on {self.circuits} near-Clifford circuits"

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> CliffordRegressed:
        """`CliffordRegressed` with these parameters."""
        return CliffordRegressed(inner, self.circuits, self.keep, device.seed)


@dataclass(frozen=True)
class LinearFit:
    """exact ≈ a·noisy + b per observable, by least squares over the training circuits.

    Attributes:
        slope: a, (O,).
        intercept: b, (O,).
        residual: Root mean square residual, (O,).
        noisy: (O, C) training values that the fit used.
        errors: (O, C) their standard errors.
        exact: (O, C) exact values.
        scale: Σ|coefficient| of the observables without their identity, (O,).
    """

    slope: Floats
    intercept: Floats
    residual: Floats
    noisy: Floats
    errors: Floats
    exact: Floats
    scale: Floats

    @classmethod
    def of(cls, noisy: Floats, errors: Floats, exact: Floats, scale: Floats) -> LinearFit:
        """Fit every observable."""
        dx = noisy - noisy.mean(axis=1, keepdims=True)
        dy = exact - exact.mean(axis=1, keepdims=True)
        sxx = (dx**2).sum(axis=1)
        # A constant, such as the identity, has nothing to correct but its mean.
        varies = sxx > MIN_SQUARES * scale**2
        slope = np.where(varies, (dx * dy).sum(axis=1) / np.where(varies, sxx, 1.0), 1.0)
        intercept = exact.mean(axis=1) - slope * noisy.mean(axis=1)
        rest = exact - slope[:, None] * noisy - intercept[:, None]
        residual = np.sqrt((rest**2).mean(axis=1))
        return cls(slope, intercept, residual, noisy, errors, exact, scale)

    def predict(self, which: NDArray[np.intp], x: Floats, error: Floats) -> tuple[Floats, Floats]:
        """Mitigated values, and their standard errors from the shots of x and of the training.

        With Δ the deviations from the means and S = Σ Δx_t², ∂a/∂x_t = (Δy_t − 2a·Δx_t)/S and
        ∂(ax + b)/∂x_t = (x − mean)·∂a/∂x_t − a/C.

        Args:
            which: Index of the observable of each value.
            x: Noisy values, of the same shape.
            error: Their standard errors.
        """
        means = self.noisy.mean(axis=1, keepdims=True)
        dx, dy = self.noisy - means, self.exact - self.exact.mean(axis=1, keepdims=True)
        sxx = (dx**2).sum(axis=1, keepdims=True)
        a = self.slope[:, None]
        varies = sxx > MIN_SQUARES * self.scale[:, None] ** 2
        safe = np.where(varies, sxx, 1.0)
        slopes = np.where(varies, (dy - 2 * a * dx) / safe, 0.0)  # (O, C)
        # Σ_t σ_t²·(u·∂a/∂x_t − a/C)² is a quadratic in u = x − mean.
        count = self.noisy.shape[1]
        variance = self.errors**2
        square = (variance * slopes**2).sum(axis=1)
        cross = (variance * slopes).sum(axis=1) * self.slope / count
        flat = variance.sum(axis=1) * (self.slope / count) ** 2
        u = x - means[which, 0]
        trained = square[which] * u**2 - 2 * cross[which] * u + flat[which]
        slope = self.slope[which]
        stds = np.sqrt((slope * error) ** 2 + np.maximum(trained, 0.0))
        return slope * x + self.intercept[which], stds


class CliffordRegressed(Mitigator[Cdr]):
    """Learns exact ≈ a·noisy + b per observable on near-Clifford circuits and applies it.

    The training circuits are parameter rows of one template of the pub's own circuit, so one fit
    serves all its parameter rows, and later pubs of the same circuit, observables and precision.
    Their exact values come from this package's engine. The standard errors contain the shots of
    the training; `residual_rms` in the metadata is what the linear map leaves unexplained there.

    Source: Czarnik, Arrasmith, Coles, Cincio, Quantum 5, 592 (2021), with the training circuits
    chosen for the spread of their values as in arXiv:2204.07109. Unlike there, all parameter rows
    of a circuit share one fit.

    Args:
        inner: Runs ISA pubs.
        circuits: Number of training circuits.
        keep: Probability that an angle of the circuit stays as it is.
        seed: Of the choice of training circuits; None counts as 0, so that stored results of
            training circuits are found again.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        circuits: int = Cdr.circuits,
        keep: float = Cdr.keep,
        seed: int | None = None,
    ) -> None:
        super().__init__(inner, Cdr(circuits, keep))
        self._sets = TrainingSets(NearClifford("cdr", circuits, keep, spread=True), seed)

    def expand(self, pub: EstimatorPub) -> Expansion:
        """The pub itself, and one training pub."""
        key, training = self._sets.of(pub)
        _check_spread(training)
        which = np.broadcast_to(
            np.arange(pub.observables.size).reshape(pub.observables.shape), pub.shape
        )

        def learn(runs: Sequence[Any]) -> LinearFit:
            (noisy,), (errors,) = values(runs)
            return LinearFit.of(noisy, errors, training.exact, training.scale)

        def combine(runs: Sequence[Any], fit: LinearFit, spent: Sequence[Any]) -> PubResult:
            (noisy,), (errors,) = values(runs)
            evs, stds = fit.predict(which, noisy, errors)
            metadata = mitigated_metadata(
                [runs[0].metadata],
                "cdr",
                1.0,
                spent,
                training_circuits=self.options.circuits,
                slope=fit.slope.tolist(),
                intercept=fit.intercept.tolist(),
                residual_rms=fit.residual.tolist(),
            )
            return answer(np.asarray(evs), np.asarray(stds), metadata)

        return Expansion([pub], combine, Training(key, [training.pub(pub.precision)], learn))


def _check_spread(training: TrainingSet) -> None:
    """Refuse an observable whose exact values say nothing about the circuit that is to run.

    A Clifford circuit is its own and only version: there the exact value is the answer.
    """
    if training.all_alike:
        return
    flat = training.observables.sparse_observables_array()
    spread = training.exact.std(axis=1)
    for index in np.flatnonzero(spread < MIN_SPREAD * training.scale):
        constant = not any(pauli_terms(flat[index]))
        if not constant:
            raise MitigationError(
                f"cdr can't be trained for observable {index}: its exact values in the "
                f"near-Clifford versions of the circuit differ by {spread[index]:.2g} only, around "
                f"{training.exact[index].mean():.3g}; take a larger keep= or another technique"
            )
