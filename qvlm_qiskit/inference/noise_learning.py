"""Learning a machine's noise of the layers that a run's circuits have: what is bought, and kept.

The learning circuits are those that "pea" and "pec(model=learned)" ask for on the same machine, so
that in a ledger they are the same rows, whoever asks first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import Backend, open_noise
from qvlm_qiskit.backends.compilation.spread import spreads_of
from qvlm_qiskit.backends.mitigation import learned_noise
from qvlm_qiskit.backends.mitigation.layer_description import check_description, learners_of
from qvlm_qiskit.backends.mitigation.layer_learner import LayerLearner, learning_call
from qvlm_qiskit.backends.mitigation.layers import Layer
from qvlm_qiskit.backends.preflight.rehearse import AskedCircuit, blocks_of
from qvlm_qiskit.basics.late_definitions import needs_values
from qvlm_qiskit.errors import BudgetError, InputError, JobFailedError
from qvlm_qiskit.inference.afford import check_allowance, check_left
from qvlm_qiskit.jobs import Budget, JobStore, Recorded, Recording, recorded_backend
from qvlm_qiskit.jobs.costs.forecast import Forecast, Forecaster
from qvlm_qiskit.jobs.costs.spent import costs_of
from qvlm_qiskit.jobs.ledger.runs import (
    LEARNING,
    JobRun,
    RunStateError,
    close_run,
    list_runs,
    new_run,
    submissions_of,
)
from qvlm_qiskit.jobs.recording import reopening, row_context, service_for
from qvlm_qiskit.models.protocol import AnsweringModel
from qvlm_qiskit.noise_models import NoiseSpec, Snapshot, restricted, split_terms

VERSION = 1


@dataclass(frozen=True)
class LearningTask:
    """The layers that are to be learned, and the machine.

    Attributes:
        run: The run folder whose circuits they are of, as it was named.
        backend: From `open_backend`, with a mitigation that learns.
        circuits: Compiled, on every tile where there are some.
        base: The machine's calibrated noise, in which what is learned is to stand.
    """

    run: str
    backend: Backend
    circuits: tuple[QuantumCircuit, ...]
    base: NoiseSpec

    @classmethod
    def of(cls, run: str, model: AnsweringModel, backend: Backend) -> LearningTask:
        """What a model's circuits need on a machine; everything that can't be is refused here.

        Args:
            run: What the model is called in records.
            model: Its quantum layers.
            backend: From `open_backend`.

        Raises:
            InputError: No circuits, none with two-qubit gates, or a machine without calibrated
                qubits.
            MitigationError: A mitigation that learns nothing, a gate that can't be learned, or
                layers beyond the technique's own budget.
        """
        if not any(True for _ in learners_of(backend)):
            raise InputError(
                f"the mitigation {backend.options.mitigation!r} learns no noise: take pea or "
                "pec(model=learned), with twirling in front where errors are coherent"
            )
        base = calibrated_noise(backend)
        check_description(base, backend)
        blocks = blocks_of(model)
        circuits = tuple(c for block in blocks for c in _compiled(backend, block))
        task = cls(run, backend, circuits, base)
        if not task.layers:
            raise InputError(
                f"no circuit of {run} has a two-qubit gate on {backend.name}: there is nothing to "
                "learn"
            )
        return task

    @property
    def learner(self) -> LayerLearner:
        """What learns on the machine, without a ledger."""
        return next(learners_of(self.backend))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer once."""
        return tuple(self.learner.missing(self.circuits))

    def forecast(self, store: JobStore | None, recording: Recording) -> Forecast:
        """What learning would buy; nothing is run.

        Args:
            store: Rows that it has are not bought; None: an empty one.
            recording: How its jobs are kept.
        """
        context = row_context(self.backend.device_description(), recording)
        call = learning_call(self.learner, self.layers, "noise of layers")
        return Forecaster(store, self.backend, context).add([call], self.learner.inner)

    def described(self, backend: Backend, *, only_learned: bool = False) -> NoiseSpec:
        """What was learned, dated now.

        Args:
            backend: That has learned: the task's, or the same behind a ledger.
            only_learned: Leave out all qubits that stand in no learned layer.

        Raises:
            InputError: See `check_description`.
        """
        self.check_description(only_learned=only_learned)
        spec = self._scaled(learned_noise(backend, self.base))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        taken = spec.snapshot or Snapshot(backend.name, None, now)
        spec = replace(spec, snapshot=replace(taken, taken_utc=now))
        if not only_learned:
            return spec
        return restricted(spec, self.qubits)

    @property
    def qubits(self) -> list[int]:
        """Those of the layers, ascending."""
        return sorted({qubit for layer in self.layers for qubit in layer.qubits})

    def check_description(self, *, only_learned: bool) -> None:
        """Refuse a description that can't be written, before anything is learned.

        Raises:
            InputError: The noise of a whole device, made stronger.
        """
        if self.backend.options.noise_scale != 1 and not only_learned:
            raise InputError(
                "a whole device's noise is not made stronger, since it has broken qubits: with "
                "--noise-scale the file holds the learned qubits alone (--only-learned)"
            )

    def _scaled(self, learned: NoiseSpec) -> NoiseSpec:
        """The description with what was not learned as strong as the machine has it."""
        factor, kept = self.backend.options.noise_scale, set(self.qubits)
        if factor == 1:
            return learned
        gates = zip(learned.gates, self.base.gates, strict=True)
        return replace(
            learned,
            qubits=tuple(
                noise.scaled(factor) if qubit in kept else noise
                for qubit, noise in enumerate(learned.qubits)
            ),
            gates=tuple(
                new if new is not old else new.scaled(factor)
                for new, old in gates
                if set(new.qubits) <= kept
            ),
        )

    def facts(self) -> dict[str, Any]:
        """What a learning that goes on must have in common with the one that began, as JSON."""
        found = {
            "backend": dict(reopening(self.backend)),
            "layers": [str(layer) for layer in self.layers],
            "calibration": self.learner.device.calibration,
        }
        return cast(dict[str, Any], json.loads(json.dumps(found)))


def calibrated_noise(backend: Backend) -> NoiseSpec:
    """What is known of a machine beside what is learned: its calibration, and readout.

    Formulas on top of a device ("+zz(0.02)") are left out: what they do to gates is learned.

    Raises:
        InputError: Nothing is known of its qubits.
    """
    source = backend.name.removeprefix("noisy:")
    if not Path(source).is_file():
        source = split_terms(source)[0]
    spec = open_noise(source)
    if not spec.qubits:
        raise InputError(
            f"{backend.name} has no qubits with gates of their own that could be learned: take "
            "noisy:<device>"
        )
    readout = tuple(one for one in spec.sources if one.kind == "readout")
    return replace(spec, sources=readout)


def learned_layers(backend: Backend) -> list[dict[str, Any]]:
    """Every layer that a backend has learned: Σλ with its standard error, γ, and χ² of the fit."""
    return [
        {
            "layer": str(layer),
            "rate": float(one.rates.sum()),
            "standard_error": float(np.sqrt((one.stds**2).sum())),
            "gamma": one.gamma,
            "chi2": one.chi2,
        }
        for learner in learners_of(backend)
        for layer, one in learner.known.items()
    ]


def check_limited(backend: Backend, budget: Budget | None) -> None:
    """Refuse to learn where executions are paid for and nothing limits them.

    Raises:
        BudgetError: A machine with a service of its own, and no budget.
    """
    limited = budget is not None and (budget.seconds, budget.executions) != (None, None)
    if backend.service is not None and not limited:
        raise BudgetError(
            f"can't learn on {backend.name!r} without --budget-seconds or --budget-executions: its "
            "executions are paid for (--dry-run says what they cost)"
        )


def begin_learning(
    task: LearningTask, out: Path, store: JobStore, recording: Recording, command: str | None = None
) -> JobRun:
    """Write down that noise is learned for a file, or find the run that does so already.

    Args:
        task: What is learned.
        out: The file that the description is to be written to.
        store: The ledger.
        recording: How the jobs are kept and what they may cost.
        command: Goes on with it, for whoever looks at the ledger.

    Raises:
        BudgetError: No budget on a machine that charges, or less than is needed; nothing is
            written.
        InputError: The ledger learns something else for this file: other layers, or those of
            another calibration.
    """
    budget = recording.budget
    check_limited(task.backend, budget)
    learns = task.facts()
    run = _waiting(store, out, learns)
    needed = task.forecast(store, recording)
    check_left(budget, needed, store, run, "learning the noise")
    check_allowance(service_for(task.backend, store, recording), needed)
    if run is not None:
        return run
    return new_run(
        store,
        {
            "format": LEARNING,
            "version": VERSION,
            "run": task.run,
            "out": str(out.resolve()),
            "backend": learns["backend"],
            "learns": learns,
            "options": {"mode": recording.mode, "budget": asdict(budget)},
            "circuits": None,
            "expected": asdict(needed),
            "command": command,
        },
    )


def learn_noise(
    task: LearningTask, store: JobStore, run: JobRun, recording: Recording
) -> tuple[Backend, JobRun]:
    """Buy what is missing, and learn from all of it.

    Args:
        task: What is learned.
        store: The ledger.
        run: From `begin_learning`.
        recording: How the jobs are kept; detached, the call ends when they are accepted.

    Returns:
        The machine, which has learned, for `LearningTask.described`, and the run's record.

    Raises:
        JobPending: Detached, and some jobs are not finished.
        JobFailedError: A job ended without results; the run has failed then.
        BudgetError: A job would cost too much.
    """
    backend = recorded_backend(task.backend, store, replace(recording, run=run.id))
    recorded = cast(Recorded, backend.device)
    try:
        next(learners_of(backend)).learn(task.circuits)
    except JobFailedError as failed:
        with suppress(RunStateError):  # a run that was cancelled meanwhile stays cancelled
            close_run(store, run, "failed", error=str(failed))
        recorded.worker.close(run.id)
        raise
    recorded.worker.close(run.id)
    costs = costs_of(store, run, recorded.asked)
    result = {"layers": learned_layers(backend), "costs": costs}
    return backend, close_run(store, run, "done", result=result)


def _compiled(backend: Backend, block: AskedCircuit) -> Iterator[QuantumCircuit]:
    """A block's circuit as it runs there: once, or on every tile."""
    if needs_values(block.circuit):
        raise InputError(
            f"the circuit of {block.name} is made anew for every row, so that its layers are not "
            "known beforehand"
        )
    compiled = backend.compile(block.circuit, block.observables)
    spread = next(spreads_of(backend.estimator()), None)
    if spread is None:
        yield compiled.circuit
        return
    zeros = np.zeros(compiled.circuit.num_parameters)
    tiling = spread.tiling(
        EstimatorPub.coerce((compiled.circuit, compiled.observables, zeros, 0.1))
    )
    yield from (tiling.on(tile.qubits) for tile in tiling.tiles)


def _waiting(store: JobStore, out: Path, learns: Mapping[str, Any]) -> JobRun | None:
    """The run that learns the same for this file; one that never bought anything is given up."""
    for run in list_runs(store):
        about = run.request
        if (about.get("format"), about.get("out")) != (LEARNING, str(out.resolve())):
            continue
        if run.state != "waiting":
            continue
        if about["learns"] == learns:
            return run
        if submissions_of(store, run):
            raise InputError(
                f"run {run.id} of the ledger {store.place} learns {_difference(about, learns)} for "
                f"{out}: choose another file, or stop it with qvlm jobs cancel {run.id}"
            )
        close_run(store, run, "cancelled", error="it was begun and never bought anything")
    return None


def _difference(about: Mapping[str, Any], learns: Mapping[str, Any]) -> str:
    """How what is learned already differs."""
    old = about["learns"]
    if old["calibration"] != learns["calibration"]:
        return f"noise of the calibration of {old['calibration']} (now: {learns['calibration']})"
    if old["layers"] != learns["layers"]:
        return f"other layers ({'; '.join(old['layers'])[:80]})"
    return f"noise of another machine, or with other options ({old['backend']['name']})"
