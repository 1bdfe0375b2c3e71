"""Which of several mitigations did best on circuits whose exact values are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import PubResult

Floats = NDArray[np.float64]
# So many standard errors make a difference between two candidates clear.
CLEAR = 2.0


@dataclass(frozen=True)
class Trial:
    """One candidate on the calibration circuits.

    Attributes:
        mitigation: Its name.
        error: Mean |value − exact| over circuits and observables; None when it was not tried.
        standard_error: Of that mean, from the spread over the circuits.
        executions: What the trial took, or would have taken.
        note: Why it was not tried; empty otherwise.
        per_run: Executions that the circuit itself takes with it from now on, what is learned not
            counted: candidates are compared by this.
    """

    mitigation: str
    error: float | None
    standard_error: float | None
    executions: int
    note: str = ""
    per_run: int = 0


@dataclass(frozen=True)
class Choice:
    """What "auto" chose for a circuit, and why.

    Attributes:
        mitigation: The chosen one.
        why: A sentence.
        budget: Executions that choosing was allowed.
        executions: Executions that it took.
        circuits: Number of calibration circuits.
        observables: Number of observables.
        trials: The candidates, in the order in which they were tried.
        circuit: The circuit's name.
    """

    mitigation: str
    why: str
    budget: int
    executions: int
    circuits: int
    observables: int
    trials: tuple[Trial, ...]
    circuit: str = ""

    def report(self) -> dict[str, Any]:
        """The choice as JSON-able data."""
        return {**asdict(self), "trials": [asdict(trial) for trial in self.trials]}


def best_of(errors: Mapping[str, Floats], per_run: Mapping[str, int]) -> tuple[str, str]:
    """The cheapest candidate that is not clearly worse than the best; and a sentence.

    Args:
        errors: Mean absolute error of every calibration circuit, (C,), by candidate.
        per_run: Executions that the circuit itself takes with each; of equal ones the first wins.
    """
    best = min(errors, key=lambda name: float(errors[name].mean()))
    for name in sorted(errors, key=lambda one: per_run[one]):
        behind = errors[name] - errors[best]  # paired by circuit
        spread = behind.std(ddof=1) / math.sqrt(len(behind))
        if name == best or behind.mean() <= CLEAR * spread:
            break
    low, error = float(errors[best].mean()), float(errors[name].mean())
    if name == best:
        why = f"{name} has the lowest mean error on the calibration circuits ({low:.4f})"
    else:
        why = (
            f"{name} is the cheapest ({per_run[name]:,} executions a run) whose mean error "
            f"({error:.4f}) is within two standard errors ({CLEAR * spread:.4f}) of the lowest "
            f"({best}: {low:.4f})"
        )
    return name, why


def reported(answer: PubResult, choice: Choice, first: bool) -> PubResult:
    """The answer with the choice, and with its executions where it was made for this pub."""
    metadata = {**answer.metadata, "auto": choice.report()}
    spent = choice.executions if first else 0
    before = metadata.get("calibration_executions", 0)
    metadata["calibration_executions"] = None if before is None else before + spent
    return PubResult(answer.data, metadata)
