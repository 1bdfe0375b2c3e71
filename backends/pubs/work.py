"""What running pubs would make a device execute, found without running anything.

`Call` is one call of an estimator's `run`. A mitigation wrapper says which calls of its inner
estimator a call leads to (`EstimatorWrapper.plan`); a device says which circuits it would run for
one (`StatesWork.jobs`). Preflight chains them in the order of the stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target


@dataclass(frozen=True)
class Call:
    """One call of an estimator's `run`.

    Attributes:
        pubs: Its coerced pubs, each with a precision.
        block: The circuit or model block that it is made for.
        calibration: True where a technique makes the call for itself, to learn about the device.
        raw: True where readout is left as it is: the call goes past what would correct it.
    """

    pubs: tuple[EstimatorPub, ...]
    block: str = ""
    calibration: bool = False
    raw: bool = False

    def with_pubs(self, pubs: Sequence[EstimatorPub], *, calibration: bool = False) -> Call:
        """A call for the same block with other pubs; a calibration stays one."""
        return replace(self, pubs=tuple(pubs), calibration=self.calibration or calibration)


@dataclass(frozen=True)
class Work:
    """Circuits of one shape that a device runs in one job.

    Attributes:
        circuit: The measured circuit, its parameters unbound.
        circuits: How many times it is bound to numbers.
        shots: Shots of each.
        target: States the durations of the circuit's gates; None where nothing does.
        calibration: True where the device's own mitigation runs it to learn about the device.
    """

    circuit: QuantumCircuit
    circuits: int
    shots: int
    target: Target | None = None
    calibration: bool = False

    @property
    def executions(self) -> int:
        """Number of executions: circuits × shots."""
        return self.circuits * self.shots


@runtime_checkable
class StatesWork(Protocol):
    """A device's estimator that says beforehand what it would run."""

    def jobs(self, pubs: Sequence[EstimatorPub]) -> list[list[Work]]:
        """The jobs that `run(pubs)` submits, each with its work; nothing is run.

        Raises:
            QVLMError: What `run` would raise for these pubs.
        """
        ...

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """What the device's own mitigation multiplies standard errors by; None if not known."""
        ...
