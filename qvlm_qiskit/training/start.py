"""Training: transformers' ``Trainer`` on circuits, from options to a run folder.

Circuits run on noise-free statevectors, this package's own or Aer's, with the noise of a backend of
exact values, or on a machine that samples; there all rows of a step may go through a ledger.
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from qvlm_qiskit import __version__
from qvlm_qiskit.basics.computer.processes import is_first
from qvlm_qiskit.basics.files import new_folder, only_one, write_json
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.errors import BudgetError, InputError
from qvlm_qiskit.models.protocol import AnsweringModel
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.runs import CONTENTS, Run, no_transformers_bars, write_run
from qvlm_qiskit.training.checkpoints import last_checkpoint
from qvlm_qiskit.training.checks import check_disk, check_precision
from qvlm_qiskit.training.machine import TrainingBackend, check_trainable, gradient_facts
from qvlm_qiskit.training.models import (
    Subject,
    Trains,
    check_bought,
    check_memory,
    data_facts,
    samples_digest,
)
from qvlm_qiskit.training.place import (
    CHECKPOINTS,
    OPTIONS,
    check_folders,
    check_place,
    check_resumed,
    clear,
    finish,
    is_trained,
    partial_folder,
    tidy,
)
from qvlm_qiskit.training.processes import check_shared, tell, together, wait
from qvlm_qiskit.training.saving import told_by_the_disk
from qvlm_qiskit.training.step import StepsAhead, asking
from qvlm_qiskit.training.trainer import BeforeStep, Log, StepTrainer, make_trainer, reporters

if TYPE_CHECKING:
    from qvlm_qiskit.backends import Backend
    from qvlm_qiskit.data.sample import Samples
    from qvlm_qiskit.training.ledger import Ledger, Purchase
    from qvlm_qiskit.training.plan import TrainingPlan


@together()
def train(
    options: TrainingOptions,
    out: Path,
    *,
    backend: TrainingBackend | None = None,
    gradient: SampledGradient | None = None,
    ledger: Ledger | None = None,
    source: Run | None = None,
    trains: Trains | None = None,
    overwrite: bool = False,
    resume: bool = False,
    track: Track = silent,
) -> Run:
    """Train a model on a data set and leave a run folder.

    While it trains, everything lies in ``<out>.partial``; an interrupted training goes on from its
    last checkpoint with ``resume``. Through a ledger the steps since then are made again from the
    answers that it has, so that none is bought twice.

    Args:
        options: What to train.
        out: The run folder; appears when the training is complete.
        backend: Where circuits run and are differentiated, such as
            ``open_backend("aer")`` or ``open_backend("noisy:fake_torino", precision=0)``; by
            default this package's noise-free statevectors.
        gradient: How a backend's values are differentiated if it samples them.
        ledger: Keeps all rows of a backend that samples, and says what they may cost; needed where
            they are paid for.
        source: A trained run to start from; see `options_from`.
        trains: What is trained of it, by default the angles of its circuits; ``"all"``: everything.
        overwrite: Replace a run folder that is there, and start over where an interrupted training
            could go on. A folder that holds anything else is never replaced.
        resume: Go on with an interrupted training of the same options.
        track: Opens progress bars.

    Raises:
        InputError: ``out`` is taken, another process trains there, an interrupted training lies
            there, there is nothing to resume, other options, or nothing in the data to train on.
        BackendError: The backend's values can't be differentiated, or are paid for.
        CapacityError: A circuit is too large for that, or the training set for the memory.
        BudgetError: The next step would cost too much; the steps before it are kept.
        JobFailedError: A job ended without results.
    """
    check_shared(options)
    subject = Subject.of(options, source, trains)
    if not is_first():
        return _along(subject, out, backend, gradient)
    check_place(out, overwrite=overwrite, resume=resume)
    partial = partial_folder(out)
    model = _checked(subject, partial, backend, gradient, ledger, track)
    with only_one(partial, out):
        check_folders(out, overwrite, resume)
        asked = _asked(subject, backend, gradient, ledger)
        if resume:
            check_resumed(partial, asked)
            if is_trained(partial):
                with new_folder(out, overwrite, partial, CONTENTS):
                    finish(partial)
                tell(None)
                wait()
                return Run.open(out)
            tidy(partial)
        samples = subject.samples(track)
        rows = subject.training_rows(model, samples, track)
        held_out = subject.held_out(model, track)
        asked.update(samples_digest(samples))
        if resume:
            check_resumed(partial, asked)
        elif ledger is None:
            clear(partial)
        purchase = None
        if ledger is not None:
            machine = cast("Backend", backend)
            purchase = _purchase(subject, out, machine, gradient, ledger, resume, track)
        with (
            new_folder(out, overwrite, partial, CONTENTS) as folder,
            _on_machine(model, backend, gradient, purchase) as (recorded, before_step),
        ):
            write_json(folder / OPTIONS, asked)
            if purchase is not None:
                purchase.mark(folder)
            started = time.perf_counter()
            with track("training", options.steps) as report:
                log = Log(report, gradient)
                checkpoints = folder / CHECKPOINTS
                trainer = make_trainer(
                    model.module, rows, options, checkpoints, log, held_out=held_out
                )
                trainer.before_step = before_step
                begin = last_checkpoint(checkpoints) if resume else None
                _run(trainer, tell("" if begin is None else str(begin)))
            history = log.columns(trainer)
            bought = {}
            if purchase is not None and recorded is not None:
                bought = purchase.finish(recorded, history)
            info = {
                **_facts(subject, samples, model),
                "backend": {"name": "statevector"} if backend is None else backend.describe(),
                **gradient_facts(gradient),
                **bought,
                "seconds": round(time.perf_counter() - started, 2),
            }
            model.module.cpu().eval()
            with told_by_the_disk("the run folder"):
                write_run(folder, model, info, history)
            finish(folder)
    wait()
    return Run.open(out)


def _checked(
    subject: Subject,
    partial: Path,
    backend: TrainingBackend | None,
    gradient: SampledGradient | None,
    ledger: Ledger | None,
    track: Track,
) -> AnsweringModel:
    """The model, once all is refused that can be without looking at the folder or the samples."""
    options = subject.options
    reporters(options)
    check_precision(options)
    subject.check_held_out()
    if not subject.data.tracked:
        check_memory(options)
    model = subject.build(track)
    if backend is not None:
        check_trainable(model, backend, gradient, ledger)
    check_disk(model.module, options, partial / CHECKPOINTS)
    if ledger is not None:
        check_bought(options)
        if backend is None:
            raise InputError("a ledger keeps what a machine was asked: give the training a backend")
    return model


def _along(
    subject: Subject,
    out: Path,
    backend: TrainingBackend | None,
    gradient: SampledGradient | None,
) -> Run:
    """What all processes but the first do: train along, and write nothing."""
    model = subject.build()
    if backend is not None:
        check_trainable(model, backend, gradient)
    rows = subject.training_rows(model, subject.samples())
    held_out = subject.held_out(model)
    begin = tell()
    if begin is not None:
        checkpoints = partial_folder(out) / CHECKPOINTS
        with _on_machine(model, backend, gradient, None), silent("training", 1) as report:
            log = Log(report, gradient)
            trainer = make_trainer(
                model.module, rows, subject.options, checkpoints, log, held_out=held_out
            )
            _run(trainer, begin)
    wait()
    return Run.open(out)


def _facts(subject: Subject, samples: Samples, model: AnsweringModel) -> dict[str, Any]:
    """What ``run.json`` says of a model and of what it was trained on."""
    data = {"name": subject.options.data, "train_samples": len(samples), **data_facts(samples)}
    return {
        "package": {"qvlm-qiskit": __version__, "torch": torch.__version__},
        "python": platform.python_version(),
        "options": dataclasses.asdict(subject.options),
        **subject.facts(),
        **model.described(),
        "data": data,
        "parameters": sum(p.numel() for p in model.module.parameters()),
        "trained_parameters": sum(p.numel() for p in model.module.parameters() if p.requires_grad),
        "quantum_parameters": sum(q.weight.numel() for q in model.quantum_layers.values()),
    }


def _run(trainer: StepTrainer, checkpoint: str) -> None:
    """Make all steps, those behind a checkpoint if one is named.

    Raises:
        BudgetError: One would cost too much; says how many are kept, and how to go on.
    """
    with no_transformers_bars():
        try:
            trainer.train(resume_from_checkpoint=checkpoint or None)
        except BudgetError as error:
            done, all_steps = trainer.state.global_step, trainer.args.max_steps
            raise BudgetError(
                f"{error}: {done} of {all_steps} steps are kept, --resume --budget-seconds MORE "
                "goes on (MORE counts what is spent already)"
            ) from error


@contextmanager
def _on_machine(
    model: AnsweringModel,
    backend: TrainingBackend | None,
    gradient: SampledGradient | None,
    purchase: Purchase | None,
) -> Iterator[tuple[Backend | None, BeforeStep | None]]:
    """The model on the machine it trains on; behind a ledger, what asks for a step's rows."""
    with ExitStack() as stack:
        if purchase is not None:
            recorded = stack.enter_context(purchase.recorded())
            ahead = AskedAhead(recorded.estimator())
            stack.enter_context(asking(model.module, ahead, cast(SampledGradient, gradient)))
            yield recorded, StepsAhead(model.module, ahead, purchase.check_step)
        else:
            if backend is not None:
                stack.enter_context(model.run_on(backend, gradient))
            yield None, None


def _purchase(
    subject: Subject,
    out: Path,
    backend: Backend,
    gradient: SampledGradient | None,
    ledger: Ledger,
    resume: bool,
    track: Track,
) -> Purchase:
    """The training's run in the ledger: a new one, or the one that is gone on with."""
    from qvlm_qiskit.training import ledger as records
    from qvlm_qiskit.training.plan import plan_training

    sampled, partial = cast(SampledGradient, gradient), partial_folder(out)
    store, recording = ledger.store, ledger.recording

    def planned() -> TrainingPlan:
        return ledger.plan or plan_training(
            subject, backend, sampled, store, recording, track=track
        )

    if resume:
        run = records.marked(partial, store)
        if run is None:
            raise InputError(f"nothing to resume at {partial}: it is of no run in a ledger")
        records.go_on(run, ledger, planned() if ledger.limited else None)
    else:
        plan = planned()
        records.give_up(partial, store)
        clear(partial)
        run = records.begin(subject, out, backend, sampled, ledger, plan)
    return records.opened(run, backend, ledger)


def _asked(
    subject: Subject,
    backend: TrainingBackend | None,
    gradient: SampledGradient | None,
    ledger: Ledger | None,
) -> dict[str, Any]:
    """What an interrupted training must have in common with the one that goes on."""
    return {
        **dataclasses.asdict(subject.options),
        "backend": "statevector" if backend is None else backend.device_description(),
        **gradient_facts(gradient),
        **subject.facts(),
        **({} if ledger is None else ledger.facts()),
    }
