"""``qvlm noise learn``."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common, follow
from qvlm_qiskit.cli.grouped import Takes, grouped
from qvlm_qiskit.cli.options import BudgetOptions, LedgerOptions, MachineOptions
from qvlm_qiskit.errors import InputError, QVLMError

DEFAULT = "twirling+pec(model=learned)"
Machine = Annotated[
    MachineOptions,
    Takes(
        without=("shots", "precision", "tile_repeats", "fractional", "device"),
        defaults={"backend": ..., "mitigation": DEFAULT},
    ),
]


@dataclass(frozen=True, kw_only=True)
class File:
    """What is written."""

    only_learned: Annotated[
        bool,
        typer.Option(
            "--only-learned",
            help="Write the qubits of the learned layers alone, so that what is compiled for the "
            "file runs on them.",
        ),
    ] = False
    overwrite: common.Overwrite = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How far to go, and what to print."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and stop.")
    ] = False
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Return as soon as its jobs are accepted; the same command goes on."
        ),
    ] = False
    as_json: common.AsJson = False


@grouped
def learn(
    run: Annotated[Path, typer.Argument(help="Run folder whose circuits' layers are learned.")],
    path: Annotated[Path, typer.Argument(help="The file to write, ending in .json.")],
    machine: Machine,
    file: File,
    limits: BudgetOptions,
    kept: LedgerOptions,
    outcome: Outcome,
) -> None:
    """Learn the noise of a run's layers of two-qubit gates on a machine, and write it to a file.

    Through a ledger (--store; a paid machine always) its rows are those that pea and
    pec(model=learned) ask for there, whoever asks first: with the same seed, tiles and twirling.
    """
    from qvlm_qiskit.runs import Run

    machine.check()
    check_file(path, file.overwrite)
    opened = Run.open(run)
    machine.check_techniques()
    common.use_threads(1)
    from qvlm_qiskit.inference.noise_learning import LearningTask, learned_layers

    model = opened.answering_model()
    task = LearningTask.of(str(run), model, machine.open(opened.seed, lambda: model))
    task.check_description(only_learned=file.only_learned)
    ledger = _ledger(task, kept, limits, outcome)
    plan = task.forecast(ledger, _recording(limits))
    if not outcome.as_json:
        _print_plan(task, plan)
    if outcome.dry_run:
        if outcome.as_json:
            common.print_json(_planned(task, plan))
        return
    found = _learned(task, path, ledger, limits, outcome)
    if found is None:
        return
    learned, costs = found
    spec = task.described(learned, only_learned=file.only_learned)
    spec.save(path)
    layers = learned_layers(learned)
    if outcome.as_json:
        common.print_json({"path": str(path), **_planned(task, plan), "learned": layers, **costs})
        return
    _print_layers(layers)
    dated = "" if spec.snapshot is None else f" {spec.snapshot.taken_utc}"
    common.say(f"{spec.name}{dated}: {path}")


def check_file(path: Path, overwrite: bool) -> None:
    """Refuse a path that no noise may be written to.

    Raises:
        InputError: Another ending, no place that can be written to, or a file that is there:
            without `overwrite`, or of another kind.
    """
    from qvlm_qiskit.noise_models import NoiseSpec

    if path.suffix != ".json":
        raise InputError(f"a noise model file ends in .json, got {path}")
    parent = next(p for p in path.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"can't write the noise description to {parent}; choose another name")
    if not path.exists():
        return
    if not overwrite:
        raise InputError(f"{path} exists already; choose another name or pass --overwrite")
    try:
        NoiseSpec.load(path)
    except (QVLMError, OSError) as error:
        raise InputError(
            f"{path} is no noise model file, so it is not replaced; choose another name"
        ) from error


def _recording(limits: BudgetOptions, **others: Any) -> Any:
    from qvlm_qiskit.jobs import Budget, Recording

    return Recording(budget=limits.budget() or Budget(), **others)


def _ledger(task: Any, kept: LedgerOptions, limits: BudgetOptions, outcome: Outcome) -> Any:
    """The ledger; None where a simulator is asked directly.

    Raises:
        BudgetError: A paid machine without a budget; no ledger is made.
        InputError: Options of a ledger without one.
    """
    from qvlm_qiskit.inference.noise_learning import check_limited

    if not outcome.dry_run:
        check_limited(task.backend, limits.budget())
    if task.backend.service is not None or kept.store is not None:
        return kept.open(create=True)
    if limits.budget() is not None or outcome.detach:
        raise InputError(
            "--budget-seconds, --budget-executions and --detach go with --store or a paid machine: "
            f"{task.backend.name!r} is asked directly"
        )
    return None


def _learned(
    task: Any, path: Path, ledger: Any, limits: BudgetOptions, outcome: Outcome
) -> tuple[Any, dict[str, Any]] | None:
    """The machine that has learned, and costs; None where its jobs are left to another command."""
    if ledger is None:
        task.learner.learn(task.circuits)
        return task.backend, {}
    from qvlm_qiskit.errors import JobPending
    from qvlm_qiskit.inference.noise_learning import begin_learning, learn_noise

    command = f"qvlm {shlex.join(sys.argv[1:])}"
    run = begin_learning(task, path, ledger, _recording(limits), command)
    common.say(f"run {run.id} in {ledger.place}", err=True)
    try:
        with follow.board(ledger, run) as report:
            recording = _recording(limits, detach=outcome.detach, report=report)
            backend, done = learn_noise(task, ledger, run, recording)
    except JobPending:
        if outcome.as_json:
            common.print_json({"run": run.id, "state": "waiting"})
        else:
            common.say(f"run {run.id} is waiting; the same command goes on with it")
        return None
    except KeyboardInterrupt:
        common.say("qvlm: nothing is lost; the same command goes on", err=True)
        raise
    if not outcome.as_json:
        follow.print_outcome(done, as_json=False)
    assert done.result is not None
    return backend, {"run": run.id, "costs": done.result["costs"]}


def _planned(task: Any, plan: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {"layers": [str(layer) for layer in task.layers], "plan": asdict(plan)}


def _print_plan(task: Any, plan: Any) -> None:
    """What would be executed; rows that the ledger has are free."""
    cells = [
        f"{len(task.layers):,}",
        f"{plan.rows:,}",
        f"{plan.known:,}",
        f"{plan.jobs:,}",
        "–" if plan.executions is None else f"{plan.executions:,}",
        "–" if plan.seconds is None else f"{plan.seconds:,.1f}",
    ]
    columns = (">layers", ">rows", ">known", ">jobs", ">executions", ">QPU s")
    common.print_table(f"learning on {task.backend.name}", columns, [cells])


def _print_layers(layers: list[dict[str, Any]]) -> None:
    rows = [
        (
            one["layer"],
            f"{one['rate']:.4f}",
            f"{one['standard_error']:.4f}",
            f"{one['gamma']:.4f}",
            f"{one['chi2']:.2f}",
        )
        for one in layers
    ]
    from qvlm_qiskit.backends.mitigation.layer_noise import COHERENT

    common.print_table("learned", ("layer", ">Σλ", ">standard error", ">γ", ">χ² of decays"), rows)
    if any(one["chi2"] > COHERENT for one in layers):
        common.say(
            "- these decays are no exponentials: errors are coherent, and what was learned is not "
            "the noise that twirled circuits have (--mitigation twirling+…)"
        )
