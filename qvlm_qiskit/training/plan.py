"""What a training through a ledger would buy, step by step, before anything is sent."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from torch import nn

from qvlm_qiskit.backends import Backend, Preflight
from qvlm_qiskit.backends.preflight.preflight import preflight_calls
from qvlm_qiskit.backends.preflight.rehearse import exact_estimator
from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.errors import BackendError
from qvlm_qiskit.inference.preflight import smaller_recipes
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.costs.forecast import Forecast, Forecaster
from qvlm_qiskit.jobs.recording import Recording, row_context
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead
from qvlm_qiskit.training.models import Subject, check_bought
from qvlm_qiskit.training.step import Batch, StepsAhead, asking
from qvlm_qiskit.training.trainer import Log, make_trainer


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would submit.

    Attributes:
        report: The circuits on the machine.
        instead: What this project offers instead of blocks that won't do there.
        steps: What each step would buy.
        sources: Every circuit that is asked, shifted ones included, as it is before compilation.
    """

    report: Preflight
    instead: tuple[str, ...]
    steps: tuple[Forecast, ...]
    sources: tuple[QuantumCircuit, ...] = field(default=(), repr=False)

    @property
    def total(self) -> Forecast:
        """What all steps together would buy."""
        return reduce(add, self.steps)

    @property
    def next_step(self) -> Forecast | None:
        """The first step that buys anything; None where the ledger has all rows."""
        return next((step for step in self.steps if step.jobs), None)

    def affordable(self, seconds: float | None, executions: float | None) -> int:
        """How many steps a budget pays for, by these estimates."""
        spent = [Forecast(0, 0, 0, {}, 0, 0.0)]
        for step in self.steps:
            spent.append(spent[-1] + step)
        return sum(
            (seconds is None or (one.seconds is not None and one.seconds <= seconds))
            and (
                executions is None or (one.executions is not None and one.executions <= executions)
            )
            for one in spent[1:]
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "circuits": self.report.as_dict(),
            "instead": list(self.instead),
            "steps": [dataclasses.asdict(step) for step in self.steps],
            "total": dataclasses.asdict(self.total),
        }


def plan_training(
    subject: Subject,
    backend: Backend,
    gradient: SampledGradient,
    store: JobStore | None = None,
    recording: Recording | None = None,
    *,
    track: Track = silent,
) -> TrainingPlan:
    """What `train` with the same arguments would buy; nothing is run there.

    The model is trained on exact values here, and every step asks a machine that only takes notes.
    Values under noise give other weights, and so other rows; how many they are does not depend on
    that, but where two of them happen to be equal.

    Args:
        subject: What is trained.
        backend: From `open_backend`.
        gradient: How its values are differentiated.
        store: Rows that it has are not bought.
        recording: How jobs are kept.
        track: Opens progress bars.

    Raises:
        BackendError: A circuit or the mitigation can't run there.
        InputError: Options that a plan does not count.
    """
    check_bought(subject.options)
    context = row_context(backend.device_description(), recording or Recording())
    model = subject.build()
    notes = _Notes(model.module, Forecaster(store, backend, context))
    with (
        tempfile.TemporaryDirectory() as folder,
        track("rehearsal", subject.options.steps) as report,
        asking(model.module, notes.asked.ahead, gradient),
    ):
        rows = model.encoded(subject.samples())
        log = Log(report, gradient)
        trainer = make_trainer(model.module, rows, subject.options, Path(folder), log, saves=False)
        trainer.before_step, trainer.exact = notes.step, notes.exact
        trainer.train()
    circuits = preflight_calls(backend, model, notes.first, [])
    if refused := [block.refused for block in circuits.blocks if block.refused]:
        raise BackendError(f"{backend.name} can't run it: {refused[0]}")
    return TrainingPlan(
        circuits, tuple(smaller_recipes(model.module, backend)), tuple(notes.steps), notes.sources
    )


class _Notes:
    """What every step asks, and what that costs.

    Args:
        model: The one that is rehearsed.
        forecaster: Counts.
    """

    def __init__(self, model: nn.Module, forecaster: Forecaster) -> None:
        self.forecaster = forecaster
        self.exact = exact_estimator()
        self.asked = StepsAhead(model, AskedAhead(self.exact))
        self.steps: list[Forecast] = []
        self.first: Sequence[Call] = ()
        self._sources: dict[str, QuantumCircuit] = {}

    @property
    def sources(self) -> tuple[QuantumCircuit, ...]:
        """Every circuit that was asked."""
        return tuple(self._sources.values())

    def step(self, number: int, batch: Batch) -> None:
        """Note what a step asks; values are computed only where another circuit waits for them."""
        calls = []
        for found in self.asked.rounds(batch):
            calls.append(self._call(number, list(found.pubs.values())))
            if found.waits:
                self.asked.ahead.learn(found.pubs)
        self.first = self.first or calls
        self.steps.append(self.forecaster.add(calls))

    def _call(self, number: int, pubs: Sequence[EstimatorPub]) -> Call:
        for pub in pubs:
            self._sources.setdefault(circuit_digest(pub.circuit), pub.circuit)
        return Call(tuple(pubs), f"step {number}")
