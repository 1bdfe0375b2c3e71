"""The optimisers: those of qiskit-machine-learning, SciPy and torch, each asking an `Objective`.

A step size is what each of them calls so: COBYLA's first trust radius, SPSA's length of the first
step (by which its own calibration chooses the learning rate), the learning rate of the others.
L-BFGS-B has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from qiskit_machine_learning.optimizers import AQGD, COBYLA, QNSPSA, SPSA
from scipy.optimize import minimize as scipy_minimise

from qvlm_qiskit.studies.optimisers.objective import Array, BudgetSpent, Objective

PERTURBATION = 0.1
"""Of QN-SPSA, in radians."""


@dataclass(frozen=True)
class Way:
    """An optimiser.

    Attributes:
        run: Minimises an objective from a start, with a step size, until something ends it.
        steps: Step sizes to choose from.
        cost: Circuits of one step in words: N samples of a call, p angles.
        batch: Whether it sees a few samples at a time.
    """

    run: Callable[[Objective, Array, float], Any]
    steps: tuple[float, ...]
    cost: str
    batch: bool = False


def minimise(name: str, objective: Objective, start: Array, step: float) -> None:
    """Let an optimiser spend the objective's budget; what it held is in the objective's trail."""
    objective.note(start)
    try:
        WAYS[name].run(objective, start.copy(), step)
    except BudgetSpent:
        return


def _cobyla(objective: Objective, start: Array, step: float) -> None:
    lowest = np.inf

    def asked(weights: Array) -> float:
        nonlocal lowest
        found = float(objective.losses(weights))
        if found < lowest:  # COBYLA returns the best point that it has seen
            lowest = found
            objective.note(weights)
        return found

    COBYLA(maxiter=objective.calls, rhobeg=step).minimize(asked, start)


def _spsa(objective: Objective, start: Array, step: float) -> None:
    rates, reaches = SPSA.calibrate(
        objective.losses, start, target_magnitude=step, max_evals_grouped=2
    )
    optimiser = SPSA(
        objective.calls, learning_rate=rates, perturbation=reaches,
        termination_checker=_noting(objective),
    )  # fmt: skip
    optimiser.set_max_evals_grouped(2)  # both points of a step see the same samples
    optimiser.minimize(objective.losses, start)


def _qn_spsa(objective: Objective, start: Array, step: float) -> None:
    optimiser = QNSPSA(
        objective.fidelities, objective.calls, learning_rate=step, perturbation=PERTURBATION,
        termination_checker=_noting(objective),
    )  # fmt: skip
    # one call at a time: of 25 equal losses in one call, which measure noise, one would be sent
    optimiser.minimize(objective.losses, start)


def _aqgd(objective: Objective, start: Array, step: float) -> None:
    def asked(weights: Array) -> Any:
        objective.note(weights[0])
        return objective.losses(weights)

    # one call is a step: the loss at the weights, and shifted by ±π/2 in each of them
    _gradient_descent(objective, step, 2 * len(start) + 1).minimize(asked, start)


def _aqgd_chain(objective: Objective, start: Array, step: float) -> None:
    known: list[tuple[float, Array]] = []

    def asked(weights: Array) -> float:
        objective.note(weights)
        known[:] = [objective.gradient(weights)]
        return known[0][0]

    _gradient_descent(objective, step).minimize(asked, start, jac=lambda _: known[0][1])


def _gradient_descent(objective: Objective, step: float, grouped: int = 1) -> AQGD:
    return AQGD(objective.calls, eta=step, tol=0.0, param_tol=0.0, max_evals_grouped=grouped)


def _adam(objective: Objective, start: Array, step: float) -> None:
    weights = torch.as_tensor(start).requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=step)
    for _ in range(objective.calls):
        held = weights.detach().numpy()
        objective.note(held)
        _, found = objective.gradient(held)
        weights.grad = torch.as_tensor(found)
        optimiser.step()


def _l_bfgs(objective: Objective, start: Array, step: float) -> None:
    limits = {"maxfun": objective.calls, "maxiter": objective.calls}
    scipy_minimise(
        objective.gradient, start, jac=True, method="L-BFGS-B", options=limits,
        callback=objective.note,
    )  # fmt: skip


def _noting(objective: Objective) -> Callable[..., bool]:
    """SPSA's checker, which sees each step's weights without asking for their loss."""

    def checker(_: int, weights: Array, *rest: Any) -> bool:
        objective.note(weights)
        return False

    return checker


_RATES = (0.03, 0.1, 0.3, 1.0)
_LENGTHS = (0.1, 0.3, 1.0, 3.0)
_FACTORS = (0.3, 1.0, 3.0, 10.0)
WAYS: dict[str, Way] = {
    "cobyla": Way(_cobyla, (0.3, 1.0, 3.0), "N"),
    "spsa": Way(_spsa, _LENGTHS, "2 N, and 50 N before"),
    "spsa-batch": Way(_spsa, _LENGTHS, "2 N, and 50 N before", batch=True),
    "qn-spsa": Way(_qn_spsa, (0.01, 0.03, 0.1, 0.3), "7 N, and 26 N before"),
    "aqgd": Way(_aqgd, _FACTORS, "(2 p + 1) N"),
    "aqgd-chain": Way(_aqgd_chain, _FACTORS, "(2 p + 1) N"),
    "adam": Way(_adam, _RATES, "(2 p + 1) N"),
    "adam-batch": Way(_adam, _RATES, "(2 p + 1) N", batch=True),
    "l-bfgs": Way(_l_bfgs, (1.0,), "(2 p + 1) N per point"),
}
"""Name → optimiser."""
