"""Zero-noise extrapolation learned on near-Clifford circuits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends.mitigation.folding import FoldedCircuits, odd_scales
from qvlm_qiskit.backends.mitigation.mitigator import (
    Expansion,
    Mitigator,
    Training,
    answer,
    values,
)
from qvlm_qiskit.backends.mitigation.mitiq_bridge import check_installed, zero_noise_weights
from qvlm_qiskit.backends.mitigation.near_clifford import (
    NearClifford,
    TrainingSets,
    constant_and_norm,
)
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step, technique, written

Floats = NDArray[np.float64]
HELD_OUT = 4


@technique(candidates=("readout+learned-zne",), candidates_on={"noisy"})
class LearnedZne(Step):
    """Zero-noise extrapolation by a small network trained on near-Clifford circuits.

    A quarter of these circuits is held out, and the error there is stated.

    Attributes:
        scales: Odd noise scale factors that start with 1.
        circuits: Training circuits, a quarter of them held out.
        keep: Probability that a training circuit keeps an angle of the circuit itself.
        hidden: Width of the network.
    """

    name = "learned-zne"
    fractional = False
    corrects = "gates"
    scales: tuple[int, ...] = (1, 3, 5)
    circuits: int = 48
    keep: float = 0.5
    hidden: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", odd_scales(self.scales))
        if len(self.scales) < 2:
            self.refuse("scales", "an extrapolation needs at least 2")
        self.whole("circuits", 8)
        self.fraction("keep")
        self.whole("hidden", 1, 256)

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return (
            f"two-qubit gates folded to noise factors {written(self.scales)} and extrapolated to "
            f"zero by a network trained on {self.circuits} near-Clifford circuits"
        )

    def check(self, device: MitigatedDevice) -> None:
        """Make sure that mitiq is installed."""
        check_installed()

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> LearnedExtrapolation:
        """`LearnedExtrapolation` with these parameters."""
        return LearnedExtrapolation(inner, self, device.seed)


class LearnedExtrapolation(Mitigator[LearnedZne]):
    """Extrapolates to zero noise by a small network on (noise scale, value) pairs.

    Near-Clifford versions of the circuit, whose exact values are known, run at every scale factor
    beside the circuit itself. An ensemble of networks learns exact values from noisy ones, for all
    observables together; every fourth circuit is held out, and the metadata states the error
    there beside those of linear and Richardson extrapolation and of no mitigation. One training
    serves all parameter rows, and later pubs of the same circuit, observables and precision.

    After arXiv:2403.07025, which fits a network to (noise, value) of one circuit and reads it at
    zero; here it is trained over many circuits with known values, as in Clifford data regression.

    Args:
        inner: Runs ISA pubs.
        options: Scale factors, training circuits and network.
        seed: Of training circuits and network; None counts as 0, so that stored results of
            training circuits are found again.

    Raises:
        MissingDependencyError: mitiq, whose extrapolations the network starts from and is
            compared with, is not installed.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        options: LearnedZne | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(inner, options or LearnedZne())
        self.seed = seed or 0
        self._scales = tuple(float(factor) for factor in self.options.scales)
        self._controls = {
            "linear": np.array(zero_noise_weights("linear", self._scales)),
            "richardson": np.array(zero_noise_weights("richardson", self._scales)),
            "none": np.eye(len(self._scales))[0],
        }
        self._folded = FoldedCircuits()
        draw = NearClifford("learned-zne", self.options.circuits, self.options.keep)
        self._sets = TrainingSets(draw, seed)

    def expand(self, pub: EstimatorPub) -> Expansion:
        """One pub per scale factor, and one training pub per scale factor."""
        key, training = self._sets.of(pub)
        constants, norms = _parts(pub.observables)  # (*obs) each

        def learn(runs: Sequence[Any]) -> Any:
            varies = norms.ravel() > 0
            if not varies.any():
                return None
            noisy, _ = values(runs)  # (K, O, C)
            scale, constant = norms.reshape(-1, 1)[varies], constants.reshape(-1, 1)[varies]
            exact = (training.exact[varies] - constant) / scale
            return self._fit(((noisy[:, varies] - constant) / scale).T, exact.T)

        def combine(runs: Sequence[Any], model: Any, spent: Sequence[Any]) -> PubResult:
            noisy, errors = values(runs)  # (K, *shape)
            evs = np.array(np.broadcast_to(constants, pub.shape))
            stds = np.zeros(pub.shape)
            scale = np.broadcast_to(norms, pub.shape)
            varies = scale > 0  # the identity has nothing to extrapolate
            if model is not None:
                unit = scale[varies]
                inputs = (noisy[:, varies] - evs[varies]) / unit, errors[:, varies] / unit
                limits, spreads = model.limits(*(array.T for array in inputs))
                evs[varies] += limits * unit
                stds[varies] = spreads * unit
            metadata = mitigated_metadata(
                [run.metadata for run in runs],
                "learned-zne",
                float(len(runs)),
                spent,
                scale_factors=list(self.options.scales),
                training_circuits=self.options.circuits,
                held_out_circuits=0 if model is None else model.held_out_circuits,
                held_out_rms={} if model is None else model.held_out_rms,
            )
            return answer(np.asarray(evs), np.asarray(stds), metadata)

        trained = self._folded.pubs(training.pub(pub.precision), self.options.scales)
        scaled = self._folded.pubs(pub, self.options.scales)
        return Expansion(scaled, combine, Training(key, trained, learn))

    def _fit(self, noisy: Floats, exact: Floats) -> Any:
        """Train on three quarters of the circuits; (C, O, K) and (C, O) values in [−1, 1]."""
        # Only here: opening a backend needs no torch.
        from qvlm_qiskit.backends.mitigation.learned_network import (
            ExtrapolationEnsemble,
            LearnedLimit,
        )

        held = np.arange(len(noisy)) % HELD_OUT == HELD_OUT - 1
        start = tuple(self._controls["linear"].tolist())
        network = ExtrapolationEnsemble(self._scales, start, self.options.hidden, self.seed)
        network.fit(noisy[~held], exact[~held])
        errors = {
            name: float(np.sqrt(np.mean((noisy[held] @ weights - exact[held]) ** 2)))
            for name, weights in self._controls.items()
        }
        flat = noisy[held].reshape(-1, len(self._scales))
        found, _ = LearnedLimit(network, {}, 0).limits(flat, np.zeros_like(flat))
        learned = float(np.sqrt(np.mean((found - exact[held].ravel()) ** 2)))
        return LearnedLimit(network, {"learned": learned, **errors}, int(held.sum()))


def _parts(observables: ObservablesArray) -> tuple[Floats, Floats]:
    """The identity's coefficient of every observable, and Σ|coefficient| of its other terms."""
    pairs = np.array(constant_and_norm(observables)).reshape(-1, 2)
    return pairs[:, 0].reshape(observables.shape), pairs[:, 1].reshape(observables.shape)
