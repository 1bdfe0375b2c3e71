"""What IBM Quantum documents about jobs: their limits, and how long they occupy a machine.

Sources, as documented in 2025 and 2026:

- Job limits: https://quantum.cloud.ibm.com/docs/guides/job-limits. Executions per job, which hold
  for jobs of the Sampler and of the executor behind the client's primitives; the server-side
  estimator's are split there. Control-system instructions per qubit with the weights of
  `INSTRUCTIONS`. Two-qubit gates per job, after what mitigation adds: the limit depends on the
  options and is not stated; with fewer than `SURE_TWO_QUBIT_GATES` a job passes. Limits are per
  job, not per pub; none is documented for the number of pubs, parameters or observables, and the
  `max_shots` of a machine's configuration is no longer enforced.
- Maximum execution time: https://quantum.cloud.ibm.com/docs/guides/max-execution-time, three hours.
- Usage before submission: https://quantum.cloud.ibm.com/docs/guides/estimate-job-run-time,
  overhead + (rep_delay + circuit length) · executions, with about 2 s of overhead per (sub-)job.
- Open Plan: https://quantum.cloud.ibm.com/docs/guides/plans-overview, 10 minutes in 28 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.transpiler import Target

from qvlm_qiskit.backends.pubs.work import Work

JOB_OVERHEAD_SECONDS = 2.0
INSTRUCTIONS = {
    "rz": 1,
    "delay": 1,
    "sx": 2,
    "x": 2,
    "cx": 5,
    "cz": 5,
    "ecr": 5,
    "measure": 10,
    "reset": 17,
}
"""Control-system instructions per gate; gates that the documentation leaves out count as 5."""
INIT_INSTRUCTIONS = 50
SURE_TWO_QUBIT_GATES = 10_000
"""A job with fewer two-qubit gates passes whatever its options are."""

FORMULA = (
    "seconds_qpu = Σ_jobs [2 s + Σ_circuits shots · (circuit duration + rep_delay)] "
    "(IBM Quantum documentation, estimate-job-run-time)"
)


def circuit_seconds(circuit: QuantumCircuit, target: Target | None) -> float | None:
    """Length of the critical path of a circuit in a target's durations, measurements included.

    None where the target doesn't state the duration of every gate.
    """
    if target is None:
        return None
    try:
        return float(circuit.estimate_duration(target))
    except QiskitError:
        return None


class JobTimer:
    """Estimates how long jobs occupy a machine, by `FORMULA`.

    Args:
        rep_delay_seconds: The machine's; None where it is not known.
    """

    def __init__(self, rep_delay_seconds: float | None) -> None:
        self.rep_delay_seconds = rep_delay_seconds
        self._known: dict[int, tuple[QuantumCircuit, float | None]] = {}

    def seconds(self, job: Sequence[Work]) -> float | None:
        """Seconds of one job; None where durations are not known."""
        if self.rep_delay_seconds is None:
            return None
        total = JOB_OVERHEAD_SECONDS
        for work in job:
            seconds = self._circuit_seconds(work)
            if seconds is None:
                return None
            total += work.executions * (seconds + self.rep_delay_seconds)
        return total

    def _circuit_seconds(self, work: Work) -> float | None:
        # Devices give the same circuit object again for an equal pub; it is kept, so its id is too.
        key = id(work.circuit)
        if key not in self._known:
            self._known[key] = (work.circuit, circuit_seconds(work.circuit, work.target))
        return self._known[key][1]


def _instructions_per_qubit(circuit: QuantumCircuit) -> int:
    """Control-system instructions of the busiest qubit."""
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    counts = np.full(max(circuit.num_qubits, 1), INIT_INSTRUCTIONS, dtype=np.int64)
    for item in circuit.data:
        if item.name != "barrier":
            for bit in item.qubits:
                counts[index[bit]] += INSTRUCTIONS.get(item.name, 5)
    return int(counts.max())


def _two_qubit_gates(circuit: QuantumCircuit) -> int:
    return sum(len(item.qubits) == 2 and item.name != "barrier" for item in circuit.data)


@dataclass(frozen=True)
class JobLimits:
    """What a machine documents about the size of jobs; None: nothing.

    Attributes:
        executions: Executions of one job.
        instructions: Control-system instructions on one qubit in one job.
        seconds: Seconds on the machine of one job.
        plan_seconds: Seconds on the machine that an account has.
        plan: Which plan that is.
        plan_days: For so many days.
        sure_two_qubit_gates: With fewer two-qubit gates a job surely passes.
    """

    executions: int | None = None
    instructions: int | None = None
    seconds: int | None = None
    plan_seconds: int | None = None
    plan: str = "the account"
    plan_days: int = 28
    sure_two_qubit_gates: int | None = None

    def broken(self, job: Sequence[Work], seconds: float | None) -> list[str]:
        """The limits that a job exceeds, each as a sentence with what to do.

        Args:
            job: What it executes.
            seconds: How long it takes; None: not known.
        """
        broken = []
        executions = sum(work.executions for work in job)
        if self.executions is not None and executions > self.executions:
            broken.append(
                f"{executions:,} executions in one job; at most {self.executions:,}: take fewer "
                "shots or a smaller batch"
            )
        instructions = sum(work.circuits * _instructions_per_qubit(work.circuit) for work in job)
        if self.instructions is not None and instructions > self.instructions:
            broken.append(
                f"{instructions:,} control-system instructions on one qubit in one job; at most "
                f"{self.instructions:,}: take a smaller batch or a smaller circuit"
            )
        if self.seconds is not None and seconds is not None and seconds > self.seconds:
            broken.append(
                f"one job takes about {seconds:,.0f} s; at most {self.seconds:,} s: take fewer "
                "shots or a smaller batch"
            )
        return broken

    def unsure(self, job: Sequence[Work]) -> list[str]:
        """A sentence where a job has so many two-qubit gates that it may be refused.

        Args:
            job: What it executes; a circuit counts once, whatever its parameters' values.
        """
        if self.sure_two_qubit_gates is None:
            return []
        gates = sum(_two_qubit_gates(work.circuit) for work in job)
        if gates < self.sure_two_qubit_gates:
            return []
        return [
            f"{gates:,} two-qubit gates in one job; fewer than {self.sure_two_qubit_gates:,} "
            "surely pass, and the limit beyond that depends on the options"
        ]

    def beyond_plan(self, seconds: float | None) -> list[str]:
        """A sentence where jobs together take longer than an account may."""
        if self.plan_seconds is None or seconds is None or seconds <= self.plan_seconds:
            return []
        return [
            f"about {seconds:,.0f} s on the machine in all; {self.plan} has {self.plan_seconds} s "
            f"in {self.plan_days} days"
        ]


NO_LIMITS = JobLimits()
IBM_LIMITS = JobLimits(
    executions=10_000_000,
    instructions=26_800_000,
    seconds=3 * 3600,
    plan_seconds=600,
    plan="the Open Plan",
    plan_days=28,
    sure_two_qubit_gates=SURE_TWO_QUBIT_GATES,
)
"""Those of IBM Quantum."""
IBM_ESTIMATOR_LIMITS = replace(IBM_LIMITS, executions=None)
"""Those of jobs of the server-side estimator."""
