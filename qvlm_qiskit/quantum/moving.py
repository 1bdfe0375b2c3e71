"""Quantum layers between machines: what runs their circuits, and what differentiates the values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.primitives.base import BaseEstimatorV2
from qiskit_machine_learning.gradients import BaseEstimatorGradient
from torch import nn

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.gradients.sampled import (
    Differentiator,
    SampledGradient,
    Skipped,
    as_sampled,
)
from qvlm_qiskit.quantum.gradients.through_pubs import Primitive, chose_no_gradient
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.sampled_gradients import SampledMethod

Array = npt.NDArray[np.float64]


class Movable:
    """What runs on its network's estimator until :meth:`run_on` sets another one.

    Attributes:
        neural_network: The network.
    """

    neural_network: Any
    _override: BaseEstimatorV2 | None
    _differentiator: Differentiator | None
    _shifts: tuple[BaseEstimatorGradient, BatchedEstimatorGradient] | None

    @property
    def active_estimator(self) -> BaseEstimatorV2:
        """What the next forward pass runs on."""
        return self.neural_network.estimator if self._override is None else self._override

    @property
    def runs_elsewhere(self) -> bool:
        """Whether :meth:`run_on` has set an estimator."""
        return self._override is not None

    @property
    def gradient(self) -> BaseEstimatorGradient:
        """What differentiates values that come through the primitive interface.

        The network's own gradient object; for a network that was left to choose one, the parameter
        shift in one pub, with the network's estimator and pass manager.
        """
        chosen = self.neural_network.gradient
        if not chose_no_gradient(self.neural_network):
            return chosen
        if self._shifts is None or self._shifts[0] is not chosen:
            manager = chosen._pass_manager  # noqa: SLF001  (there is no public way to it)
            batched = BatchedEstimatorGradient(self.neural_network.estimator, pass_manager=manager)
            self._shifts = (chosen, batched)
        return self._shifts[1]

    def run_on(
        self,
        backend: EstimatorSource | BaseEstimatorV2,
        gradient: SampledGradient | SampledMethod | None = None,
    ) -> AbstractContextManager[None]:
        """Run on another estimator from now on; as a context manager, until its end.

        Args:
            backend: What ``open_backend`` returns, or any V2 estimator.
            gradient: How values that are sampled there are differentiated: "param_shift", "spsa",
                or one of them with options; None refuses to, since every row costs time or money.
                Exact values are differentiated exactly in any case.
        """
        return run_on([self], backend, gradient)

    def reseed(self, *seed: int) -> None:
        """Draw the directions of sampled gradients from a seed, where :meth:`run_on` has any."""
        if self._differentiator is not None:
            self._differentiator.gradient.reseed(*seed)

    def same_directions(self) -> AbstractContextManager[None]:
        """Inside the block, sampled gradients draw directions that they will draw again."""
        chosen = self._differentiator
        return nullcontext() if chosen is None else chosen.gradient.same_directions()

    @property
    def skipped(self) -> Skipped | None:
        """Derivatives that were below their standard error, where :meth:`run_on` skips those."""
        return None if self._differentiator is None else self._differentiator.skipped

    def evaluate_rows(self, rows: Array, weight: Array) -> Array:
        """Values through the primitive interface: one pub, all observables merged.

        On an estimator set by :meth:`run_on`, rows that are equal to the last bit, weights
        included, are sent once: there every row costs time or money. Their sampling error is then
        shared.

        Args:
            rows: ``(B, n_inputs)``.
            weight: ``(n_weights,)``, or ``(R, n_weights)``: row i has weights i mod R.

        Returns:
            ``(B, n_observables)``.
        """
        return self._primitive().values(rows, weight)

    def _primitive(self) -> Primitive:
        if not self.runs_elsewhere:
            return Primitive(self.neural_network, self.active_estimator, self.gradient)
        chosen = self._differentiator
        gradient = None if chosen is None else chosen.gradient
        return Primitive(self.neural_network, self.active_estimator, gradient, True, self.skipped)


class run_on(AbstractContextManager[None]):  # noqa: N801  (reads as a verb: with run_on(…):)
    """Sets the estimator of several layers at once; as a context manager, puts the old back."""

    def __init__(
        self,
        layers: nn.Module | Sequence[Movable],
        backend: EstimatorSource | BaseEstimatorV2,
        gradient: SampledGradient | SampledMethod | None = None,
    ) -> None:
        """Switch at once.

        Args:
            layers: Layers, or a module whose quantum layers are meant.
            backend: What ``open_backend`` returns, or any V2 estimator.
            gradient: Of values that are sampled; see :meth:`Movable.run_on`.

        Raises:
            InputError: ``backend`` is neither.
            UnknownNameError: No such gradient.
        """
        sampled = as_sampled(gradient)
        if isinstance(layers, nn.Module):
            layers = [m for m in layers.modules() if isinstance(m, Movable)]
        if isinstance(backend, BaseEstimatorV2):
            estimator = backend
        elif isinstance(backend, EstimatorSource):
            estimator = backend.estimator()
        else:
            raise InputError(
                f"run_on takes an open backend or a V2 estimator, got {type(backend).__name__}"
            )
        self._before = [(one, one._override, one._differentiator) for one in layers]  # noqa: SLF001
        for layer in layers:
            layer._override = estimator  # noqa: SLF001
            made = None if sampled is None else sampled.through(estimator)
            layer._differentiator = made  # noqa: SLF001

    def __enter__(self) -> None:
        """The switch is already made."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the estimators back."""
        for layer, estimator, differentiator in self._before:
            layer._override = estimator  # noqa: SLF001
            layer._differentiator = differentiator  # noqa: SLF001
