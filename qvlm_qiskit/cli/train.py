"""``qvlm train``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.options import BudgetOptions, DataOptions
from qvlm_qiskit.cli.training_plan import JobLines, print_plan

EXACT = ("statevector", "aer", "aer-gpu")
"""Backends without noise that give gradients."""
PAID = "ibm:"
"""How the names of machines begin whose rows are surely paid for."""
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


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained, see `qvlm_qiskit.recipes.TrainingOptions`."""

    model: Annotated[
        str,
        typer.Option(
            help="A model of your own, as MODULE:CLASS, or an installed one's name "
            "(docs/own-model.md); by default HybridVLM, which --recipe to --image-size are about."
        ),
    ] = "hybrid-vlm"
    model_option: Annotated[
        list[str] | None,
        typer.Option(
            help="An option of --model, such as num_qubits=4. Repeated.", show_default=False
        ),
    ] = None
    recipe: Annotated[str, typer.Option(help="Model recipe: tiny, small or paper.")] = "small"
    blocks: Annotated[
        str, typer.Option(help="quantum, classical (the twins), frozen (random circuits) or none.")
    ] = "quantum"
    vision_block: Annotated[
        str | None,
        typer.Option(
            help="The block behind the patch embeddings, NAME or NAME(option=value,…), such as "
            "qcnn(encoding=mps,pooling=1); by default the recipe's (docs/vision-block.md).",
            show_default=False,
        ),
    ] = None
    text_block: Annotated[
        str | None,
        typer.Option(
            help="The block behind the token embeddings, NAME or NAME(option=value,…), such as "
            "paqm(encoding=angle); by default the recipe's (docs/vision-block.md).",
            show_default=False,
        ),
    ] = None
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Folder or Hub name of a pretrained tokenizer; by default each word of the "
            "training data is a token.",
            show_default=False,
        ),
    ] = None
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Side of the images in pixels; by default the recipe's.", show_default=False
        ),
    ] = None
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 1000
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 64
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3
    schedule: Annotated[
        str,
        typer.Option(
            help="Of the learning rate: cosine, linear, constant, constant_with_warmup, "
            "polynomial or inverse_sqrt."
        ),
    ] = "cosine"
    clip: Annotated[float, typer.Option(help="Largest norm of a step's gradient.")] = 1.0
    accumulate: Annotated[int, typer.Option(help="Batches of one step.")] = 1
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            help="Steps between losses on the data's validation split; the weights with the "
            "lowest are kept.",
            show_default=False,
        ),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option(
            help="End the training after so many of them without a lower one.", show_default=False
        ),
    ] = None
    report_to: Annotated[
        str | None,
        typer.Option(
            help="Reporters of transformers, joined by commas, such as tensorboard (kept in "
            "RUN/reports).",
            show_default=False,
        ),
    ] = None
    train_samples: Annotated[
        int, typer.Option(help="Size of the training set, at most what the data has.")
    ] = 16000
    seed: Annotated[int, typer.Option(help="Of weights, data and batches.")] = 0

    def chosen(self) -> dict[str, Any]:
        """The same as training options.

        Raises:
            InputError: An option of the model is not of the form key=value, or stands twice.
        """
        from qvlm_qiskit.basics.placed_names import PlacedName

        found = {k: v for k, v in asdict(self).items() if k not in ("model_option", "report_to")}
        name = self.model
        if self.model_option:
            written = ",".join(self.model_option)
            more = PlacedName.read(f"model({written})").options
            placed = PlacedName.read(name)
            name = str(PlacedName(placed.name, placed.place, {**placed.options, **more}))
        return {**found, "model": name, "reports": self.report_to or ""}


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a training starts from, if it is a trained run."""

    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Start from this run folder's weights, data and processor.",
            show_default=False,
        ),
    ] = None
    trains: Annotated[
        str | None,
        typer.Option(
            "--train",
            help="With --from: circuits (their angles alone, the default) or all.",
            show_default=False,
        ),
    ] = None

    def open(self) -> Any:
        """The run; None where a training starts from nothing.

        Raises:
            InputError: Nothing to choose parameters of, or another choice.
            RunFolderError: There is none.
        """
        from qvlm_qiskit.errors import InputError, UnknownNameError
        from qvlm_qiskit.runs import Run

        if self.trains not in (None, "circuits", "all"):
            raise UnknownNameError("--train", str(self.trains), ("circuits", "all"))
        if self.source is None:
            if self.trains is not None:
                raise InputError("--train goes with --from: what starts from nothing trains whole")
            return None
        return Run.open(self.source)


@dataclass(frozen=True, kw_only=True)
class TrainingMachine:
    """Where circuits run while a model is trained: its gradients have to come from there."""

    backend: Annotated[
        str,
        typer.Option(
            help="Where circuits run while training: statevector, aer, aer-gpu, or noisy:<noise> "
            "for exact values and gradients under that noise; with --shots, samples of aer, "
            "noisy:<noise>, fake_<device> or ibm:<machine>."
        ),
    ] = "statevector"
    shots: Annotated[
        int | None,
        typer.Option(
            help="Shots per measured circuit; by default exact values.", show_default=False
        ),
    ] = None
    gradient: Annotated[
        str,
        typer.Option(
            help="With --shots: param_shift (two rows or more per gate angle) or spsa (two rows "
            "per direction)."
        ),
    ] = "param_shift"
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Skip derivatives below their own standard error (param_shift)."
        ),
    ] = False
    directions: Annotated[int, typer.Option(help="Random directions per row with spsa.")] = 1
    noise_scale: common.NoiseScale = 1.0
    max_age_days: common.MaxAgeDays = None

    def check(self) -> None:
        """Refuse what can be refused before Qiskit or torch are imported.

        Raises:
            QVLMError: An unknown backend, or one that gives no gradients.
        """
        from qvlm_qiskit.backends.catalog import check_backend
        from qvlm_qiskit.backends.options import BackendOptions
        from qvlm_qiskit.errors import BackendError, InputError
        from qvlm_qiskit.sampled_gradients import check_sampled_gradient

        check_backend(self.backend, BackendOptions(shots=self.shots, **self._noise()))
        check_sampled_gradient(self.gradient, self.prune, self.directions)
        if self.backend == "pauli-propagation":
            raise BackendError(
                "can't train on 'pauli-propagation': its values are cut off and have no gradient "
                "of their own. In Python, run_on(backend, 'param_shift') differentiates them"
            )
        if self.shots is None:
            if self.backend not in EXACT and not self.backend.startswith("noisy:"):
                raise BackendError(
                    f"can't train on {self.backend!r} without --shots: it samples, and every row "
                    "of a gradient is run with as many"
                )
            if (self.gradient, self.prune, self.directions) != ("param_shift", False, 1):
                raise InputError(
                    "--gradient, --prune and --directions go with --shots: exact values are "
                    "differentiated exactly"
                )
        elif self.backend == "statevector":
            raise InputError("--shots goes with 'aer', 'noisy:…' or 'fake_…', not 'statevector'")

    def open(self, seed: int) -> Any:
        """The backend to train on; None for the model's own statevectors."""
        if self.backend == "statevector":
            return None
        if self.shots is not None:
            options = {"shots": self.shots, **self._noise()}
        elif self.backend in EXACT:
            options = {}
        else:
            options = {"precision": 0, "dtype": "complex64", **self._noise()}
        return common.open_machine(self.backend, seed=seed, **options)

    def sampled(self) -> Any:
        """How samples are differentiated; None where values are exact."""
        from qvlm_qiskit.quantum import SampledGradient

        if self.shots is None:
            return None
        return SampledGradient(self.gradient, self.prune, samples=self.directions)  # type: ignore[arg-type]

    def _noise(self) -> dict[str, Any]:
        return {"noise_scale": self.noise_scale, "max_age_days": self.max_age_days}


@dataclass(frozen=True, kw_only=True)
class Kept(BudgetOptions):
    """Through which ledger a training goes; without it a simulator is asked directly."""

    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            help="Send every step through this ledger, one job each. A paid machine always goes "
            "through one: QVLM_STORE, or a folder of the user's.",
            show_default=False,
        ),
    ] = None
    blobs: common.Blobs = None
    store_group: common.Group = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the steps would cost, and stop.")
    ] = False

    def check(self, machine: TrainingMachine) -> None:
        """Refuse a training that nobody limits, and limits of one that costs nothing.

        Raises:
            BudgetError: A paid machine without a budget.
            InputError: Options of a ledger without one.
        """
        from qvlm_qiskit.errors import BudgetError, InputError

        paid, limit = machine.backend.startswith(PAID), self.budget()
        if paid and limit is None and not self.dry_run:
            raise BudgetError(
                f"can't train on {machine.backend!r} without --budget-seconds: its rows are paid "
                "for (--dry-run says what they cost)"
            )
        if self.store is not None and machine.shots is None:
            raise InputError("--store goes with --shots: exact values are not bought")
        if machine.backend in EXACT or machine.backend.startswith(("noisy:", "fake_")):
            if self.store is None and (limit is not None or self.dry_run):
                raise InputError(
                    "--budget-seconds, --budget-executions and --dry-run go with --store or a paid "
                    f"machine: {machine.backend!r} is asked directly"
                )

    def open(self, machine: Any) -> Any:
        """The ledger for an open machine; None where it is asked directly."""
        if self.store is None and (machine is None or machine.service is None):
            return None
        place = self.store or os.environ.get("QVLM_STORE")
        store = common.open_store(place, self.blobs, create=True, group=self.store_group)
        common.say(
            f"qvlm: jobs on {machine.name} are kept in the ledger at {store.place}", err=True
        )
        return store


@grouped
def train(
    context: typer.Context,
    folder: Folder,
    source: Source,
    recipe: Recipe,
    data: DataOptions,
    machine: TrainingMachine,
    kept: Kept,
    threads: common.Threads = 1,
    as_json: common.AsJson = False,
) -> None:
    """Train a model on questions about images, on exact values, on shots or on hardware.

    With --json what run.json says is printed in the end, and the history of losses; with --dry-run
    the plan.
    """
    from qvlm_qiskit.basics.files import check_new_folder
    from qvlm_qiskit.runs import CONTENTS

    common.check_threads(threads)
    options, start = _options(recipe, data, source, _given(context))
    machine.check()
    kept.check(machine)
    check_new_folder(folder.out, folder.overwrite, CONTENTS)
    common.use_threads(threads)
    from qvlm_qiskit import training
    from qvlm_qiskit.basics.processes import is_first
    from qvlm_qiskit.basics.progress import on_console, silent

    screen = common.console()
    if is_first():
        training.check_place(folder.out, overwrite=folder.overwrite, resume=folder.resume)
    trains: Any = source.trains  # checked by then
    backend, gradient = machine.open(options.seed), machine.sampled()
    ledger = None
    if (store := kept.open(backend)) is not None:
        subject = training.Subject.of(options, start, trains)
        ledger = _planned(subject, backend, gradient, store, kept, screen)
        if not as_json:
            print_plan(ledger, training.partial_folder(folder.out) if folder.resume else None)
        elif kept.dry_run:
            common.print_json(ledger.plan.as_dict())
        if kept.dry_run:
            return
        ledger = ledger.known_as(_command(context, options.model))
    try:
        run = training.train(
            options,
            folder.out,
            backend=backend,
            gradient=gradient,
            ledger=ledger,
            source=start,
            trains=trains,
            overwrite=folder.overwrite,
            resume=folder.resume,
            track=on_console(screen) if is_first() else silent,
        )
    except KeyboardInterrupt:
        _say_how_to_go_on(folder.out, training.checkpointed(folder.out), ledger)
        raise
    if is_first():
        _say_trained(run, folder.out, screen)
        if as_json:
            common.print_json({"run": str(folder.out), **run.info, "history": run.history()})


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


def _options(
    recipe: Recipe, data: DataOptions, source: Source, given: Collection[str]
) -> tuple[Any, Any]:
    """What is trained, and the run that it starts from, if any.

    Raises:
        InputError: An option that was given contradicts the run.
    """
    from qvlm_qiskit.recipes import OF_THE_MODEL, TrainingOptions

    chosen, start = recipe.chosen(), source.open()
    if (name := data.name()) is not None:
        chosen["data"] = name
    if start is None:
        return TrainingOptions(**chosen), None
    start.check_same_model({n: v for n, v in chosen.items() if n in given and n in OF_THE_MODEL})
    return TrainingOptions(**{**chosen, **start.trained_with()}), start


def _planned(subject: Any, backend: Any, gradient: Any, store: Any, kept: Kept, screen: Any) -> Any:
    """The ledger with the plan of the training."""
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.jobs import Budget, Recording
    from qvlm_qiskit.training import Ledger, plan_training

    recording = Recording(budget=kept.budget() or Budget(), report=JobLines(screen))
    track = on_console(screen)
    plan = plan_training(subject, backend, gradient, store, recording, track=track)
    return Ledger(store, recording, plan)


def _given(context: typer.Context) -> list[str]:
    """The options that stand on the command line, by their names in Python."""
    sources = {p.name: context.get_parameter_source(str(p.name)) for p in context.command.params}
    return [str(name) for name, where in sources.items() if where and where.name == "COMMANDLINE"]


def _command(context: typer.Context, model: str) -> str:
    """The command that goes on with this one, from any folder."""
    words, given = ["qvlm", "train"], _given(context)
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if parameter.name not in given or parameter.name in ONCE:
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
