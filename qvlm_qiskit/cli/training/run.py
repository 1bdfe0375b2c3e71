"""A training from options to a run folder, and how an interrupted one goes on."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.options import DataOptions
from qvlm_qiskit.cli.training.machine import Kept, TrainingMachine
from qvlm_qiskit.cli.training.plan import JobLines, print_plan

ONCE = ("resume", "overwrite", "dry_run", "as_json")
"""Options that a command which goes on does not repeat."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Where a training leaves its run folder."""

    out: Annotated[Path, typer.Option(help="Run folder to make.")]
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the run folder if it exists and holds nothing else; start over where an "
            "interrupted training could go on.",
        ),
    ] = False


def run_training(
    context: typer.Context,
    options: Any,
    folder: Folder,
    machine: TrainingMachine,
    kept: Kept,
    *,
    start: Any = None,
    trains: Any = None,
    threads: int = 1,
    as_json: bool = False,
) -> None:
    """Train what options say, and say what was trained.

    Args:
        context: The command's, by which an interrupted paid training says how to go on.
        options: A `TrainingOptions`.
        folder: Where it leaves its run folder.
        machine: Where its circuits run.
        kept: The ledger, if it goes through one.
        start: The run that it starts from.
        trains: Which of its parameters.
        threads: Of torch.
        as_json: Print what run.json says.
    """
    _check(folder, machine, kept)
    common.use_threads(threads)
    from qvlm_qiskit import training
    from qvlm_qiskit.basics.computer.processes import is_first
    from qvlm_qiskit.basics.progress import on_console, silent

    screen = common.console()
    if is_first():
        training.check_place(folder.out, overwrite=folder.overwrite, resume=folder.resume)
    backend, gradient = machine.open(options.seed), machine.sampled()
    ledger = None
    if (store := kept.open(backend)) is not None:
        subject = training.Subject.of(options, start, trains)
        ledger = _planned(subject, backend, gradient, store, kept, screen)
        _show_plan(ledger, folder, kept, as_json)
        if kept.dry_run:
            return
        ledger = ledger.known_as(_command(context, options.model))
    try:
        run = training.train(
            options, folder.out, backend=backend, gradient=gradient, ledger=ledger, source=start,
            trains=trains, overwrite=folder.overwrite, resume=folder.resume,
            track=on_console(screen) if is_first() else silent,
        )  # fmt: skip
    except KeyboardInterrupt:
        _say_how_to_go_on(folder.out, training.checkpointed(folder.out), ledger)
        raise
    if is_first():
        _say_trained(run, folder.out, screen)
        if as_json:
            common.print_json({"run": str(folder.out), **run.info, "history": run.history()})


def _check(folder: Folder, machine: TrainingMachine, kept: Kept) -> None:
    """Refuse what can't be trained there, before anything is loaded."""
    from qvlm_qiskit.basics.files import check_new_folder
    from qvlm_qiskit.runs import CONTENTS

    machine.check()
    kept.check(machine)
    check_new_folder(folder.out, folder.overwrite, CONTENTS)


def _show_plan(ledger: Any, folder: Folder, kept: Kept, as_json: bool) -> None:
    """Print what the steps would buy, as JSON where nothing else is printed."""
    from qvlm_qiskit.training import partial_folder

    if not as_json:
        print_plan(ledger, partial_folder(folder.out) if folder.resume else None)
    elif kept.dry_run:
        common.print_json(ledger.plan.as_dict())


def _say_trained(run: Any, out: Path, screen: Any) -> None:
    """What was trained and bought, in a line each on stderr."""
    screen.print(
        f"trained {run.info['trained_parameters']:,} parameters "
        f"({run.info['quantum_parameters']} circuit angles) in {run.info['seconds']:.0f} s: "
        f"{out}"
    )
    if (bought := run.info.get("ledger")) is not None:
        costs = bought["costs"]
        screen.print(f"{costs['rows']:,} rows by {costs['jobs']} jobs of run {bought['run']}")


def _planned(subject: Any, backend: Any, gradient: Any, store: Any, kept: Kept, screen: Any) -> Any:
    """The ledger with the plan of the training."""
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.jobs import Budget, Recording
    from qvlm_qiskit.training import Ledger, plan_training

    recording = Recording(budget=kept.budget() or Budget(), report=JobLines(screen))
    track = on_console(screen)
    plan = plan_training(subject, backend, gradient, store, recording, track=track)
    return Ledger(store, recording, plan)


def given(context: typer.Context) -> list[str]:
    """The options that stand on the command line, by their names in Python."""
    sources = {p.name: context.get_parameter_source(str(p.name)) for p in context.command.params}
    return [str(name) for name, where in sources.items() if where and where.name == "COMMANDLINE"]


def _command(context: typer.Context, model: str) -> str:
    """The command that goes on with this one, from any folder."""
    words, said = context.command_path.split(), given(context)
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if parameter.name not in said or parameter.name in ONCE:
            continue
        option = max(parameter.opts, key=len)
        if isinstance(value, bool):
            words.append(option)
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [option, _absolute(str(parameter.name), each)]
    command = shlex.join([*words, "--resume"])
    # a class may be one of the folder that the training was started in
    return f"cd {shlex.quote(str(Path.cwd()))} && {command}" if ":" in model else command


def _absolute(name: str, value: Any) -> str:
    """A value as it is understood in every folder."""
    if isinstance(value, Path) or (name == "store" and "://" not in str(value)):
        return str(Path(value).resolve())
    if name == "data":
        return str(DataOptions(data=value).name())
    return str(value)


def _say_how_to_go_on(out: Path, steps: int | None, ledger: Any) -> None:
    """What an interrupted training left."""
    if ledger is not None:
        common.say("qvlm: all rows are kept: the same command goes on with --resume", err=True)
        return
    kept = f"{steps} steps are kept: the same command goes on from there with --resume"
    common.say(f"qvlm: {'nothing is kept yet' if steps is None else kept}", err=True)
