"""Which of an account's machines suits a model's circuits today."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from qvlm_qiskit.backends.backend import Backend
from qvlm_qiskit.backends.catalog import open_backend
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.preflight.preflight import preflight
from qvlm_qiskit.backends.preflight.rehearse import blocks_of
from qvlm_qiskit.errors import BackendError, QVLMError

BEST = "ibm:best"
"""The name that chooses."""
AS_GOOD = 1.25
"""Up to this ratio of its estimated error to the lowest one a machine counts as equally good."""


@dataclass(frozen=True)
class Candidate:
    """A machine, and what a model's circuits would be there.

    Attributes:
        name: As `open_backend` knows it.
        qubits: Of the machine.
        success: Product of the circuits' estimated success probabilities on today's calibration;
            None where the machine states no errors.
        queue: Jobs that wait there; None: not said.
        seconds: Estimated QPU seconds of one row of each circuit; None: not known.
        calibrated: When, ISO 8601; None: not said.
        refused: Why it can't run them; None: it can.
    """

    name: str
    qubits: int
    success: float | None = None
    queue: int | None = None
    seconds: float | None = None
    calibrated: str | None = None
    refused: str | None = None

    @property
    def error(self) -> float:
        """−ln of the success: adds up over gates and readouts."""
        return -math.log(self.success) if self.success else math.inf


@dataclass(frozen=True)
class Choice:
    """The machine that was taken, and all in their order.

    Attributes:
        backend: It, opened.
        candidates: The best first.
    """

    backend: Backend
    candidates: tuple[Candidate, ...]


def ranked(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The best first.

    Of those whose estimated error is at most `AS_GOOD` times the lowest one, the machine with the
    fewest waiting jobs comes first, then the cheaper one; the others follow by their errors, and
    those that can't run the circuits at the end.
    """
    able = [one for one in candidates if one.refused is None]
    lowest = min((one.error for one in able), default=math.inf)

    def order(one: Candidate) -> tuple[Any, ...]:
        queue = math.inf if one.queue is None else one.queue
        seconds = math.inf if one.seconds is None else one.seconds
        if one.refused is not None:
            return 2, one.name
        if one.error <= AS_GOOD * lowest:
            return 0, queue, seconds, one.error, one.name
        return 1, one.error, queue, seconds, one.name

    return tuple(sorted(candidates, key=order))


def best_machine(subject: Any, options: BackendOptions | None = None) -> Choice:
    """Compile a model's circuits for every machine of the account, and open the best.

    Nothing is sent to run. The opened backend has the machine's own name and says in its notes that
    it was chosen.

    Args:
        subject: As `Backend.preflight` takes it.
        options: With which machines are opened.

    Raises:
        CredentialsError: No usable account.
        BackendError: The service doesn't answer, or no machine can run the circuits.
        InputError: A subject that can't be understood.
    """
    from qvlm_qiskit.backends.ibm.machine import online_machines

    blocks_of(subject)
    asked = options or BackendOptions()
    given = {field.name: getattr(asked, field.name) for field in fields(asked)}
    opened: dict[str, Backend] = {}
    candidates = []
    for machine, queue in online_machines(fractional=asked.fractional):
        candidate = Candidate(f"ibm:{machine.name}", machine.num_qubits, queue=queue)
        try:
            backend = open_backend(machine, **given)
            candidates.append(_judged(candidate, backend, subject))
            opened[candidate.name] = backend
        except QVLMError as ex:
            candidates.append(replace(candidate, refused=str(ex)))
    order = ranked(candidates)
    if not order or order[0].refused is not None:
        why = f" ({order[0].name}: {order[0].refused})" if order else ""
        raise BackendError(f"none of the account's machines can run these circuits{why}")
    return Choice(replace(opened[order[0].name], notes=(_reason(order),)), order)


def _judged(candidate: Candidate, backend: Backend, subject: Any) -> Candidate:
    report = preflight(backend, subject, 1, mitigations=[backend.options.mitigation])
    (level,) = report.levels
    refused = next((block.refused for block in report.blocks if block.refused), level.refused)
    known = [block.success_probability for block in report.blocks]
    success = None if None in known else math.prod(one for one in known if one is not None)
    return replace(
        candidate,
        success=success,
        seconds=level.seconds_qpu,
        calibrated=None if backend.compiler is None else backend.compiler.calibration_date,
        refused=refused,
    )


def _reason(order: Sequence[Candidate]) -> str:
    best = order[0]
    said = [
        "no errors stated" if best.success is None else f"estimated success {best.success:.2g}",
        "queue unknown" if best.queue is None else f"{best.queue} jobs waiting",
    ]
    return f"was chosen of {len(order)} machines: {', '.join(said)}"
