"""On which machines a model trains: those whose values can be differentiated."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from qiskit.primitives.base import BaseEstimatorV2

from qvlm_qiskit.errors import BackendError, BudgetError, InputError
from qvlm_qiskit.models.protocol import AnsweringModel
from qvlm_qiskit.quantum import SampledGradient

if TYPE_CHECKING:
    from qvlm_qiskit.training.ledger import Ledger


class TrainingBackend(Protocol):
    """What ``open_backend`` returns, as far as training uses it."""

    @property
    def name(self) -> str:
        """The name that it was opened by."""
        ...

    @property
    def kind(self) -> str:
        """Such as "exact" or "hardware"."""
        ...

    def estimator(self) -> BaseEstimatorV2:
        """The whole stack."""
        ...

    def device_description(self) -> dict[str, Any]:
        """What its values depend on, JSON-able."""
        ...

    def describe(self) -> dict[str, Any]:
        """The same with everything that a report states."""
        ...


def check_trainable(
    model: AnsweringModel,
    backend: TrainingBackend,
    gradient: SampledGradient | None = None,
    ledger: Ledger | None = None,
) -> None:
    """Compile every circuit for a backend and make sure that its values can be differentiated.

    Raises:
        InputError: The model has no circuits, or a gradient of samples for exact values.
        BackendError: The backend samples and no gradient was named, or its rows are paid for.
        CapacityError: A circuit is too large.
    """
    if not model.quantum_layers:
        raise InputError(f"the model has no circuits that could be trained on {backend.name!r}")
    if backend.kind == "hardware" or getattr(backend, "service", None) is not None:
        _check_paid(backend, ledger)
    with model.run_on(backend):
        exact = [one.differentiable_engine() is not None for one in model.quantum_layers.values()]
    if not all(exact) and gradient is None:
        raise BackendError(
            f"can't train on {backend.name!r} without a gradient for its samples: 'param_shift' "
            "or 'spsa'. Exact values come from 'statevector', 'aer' and 'noisy:…' (precision=0)"
        )
    if all(exact) and gradient is not None:
        raise InputError(
            f"{backend.name!r} is differentiated exactly: a gradient of samples goes with shots"
        )
    if all(exact) and ledger is not None:
        raise InputError(
            f"{backend.name!r} computes its values: a ledger keeps samples, and goes with shots"
        )


def _check_paid(backend: TrainingBackend, ledger: Ledger | None) -> None:
    """Refuse to train where rows are paid for and nothing keeps or limits them.

    Raises:
        BackendError: There is no ledger.
        BudgetError: There is no budget.
    """
    if ledger is None:
        raise BackendError(
            f"can't train on {backend.name!r} without a ledger: what it runs is paid for, and "
            "would be lost with the process"
        )
    if not ledger.limited:
        raise BudgetError(
            f"can't train on {backend.name!r} without a budget: its rows are paid for. Give "
            "--budget-seconds (Recording(budget=Budget(seconds=…)))"
        )


def gradient_facts(gradient: SampledGradient | None) -> dict[str, Any]:
    """What records of a training say of its gradient."""
    return {} if gradient is None else {"gradient": dataclasses.asdict(gradient)}
