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
from torch import Tensor
from torch.utils.data import Dataset

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

    Rows = Dataset[dict[str, Tensor]]


@dataclasses.dataclass(frozen=True)
class _Asked:
    """A training as it was asked for; see `train`."""

    subject: Subject
    out: Path
    backend: TrainingBackend | None
    gradient: SampledGradient | None
    ledger: Ledger | None
    overwrite: bool
    resume: bool
    track: Track

    @property
    def partial(self) -> Path:
        """Where everything lies while it trains."""
        return partial_folder(self.out)

    def in_common(self) -> dict[str, Any]:
        """What an interrupted training must have in common with the one that goes on."""
        return {
            **dataclasses.asdict(self.subject.options),
            "backend": "statevector" if self.backend is None else self.backend.device_description(),
            **gradient_facts(self.gradient),
            **self.subject.facts(),
            **({} if self.ledger is None else self.ledger.facts()),
        }


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
    asked = _Asked(subject, out, backend, gradient, ledger, overwrite, resume, track)
    if not is_first():
        _along(asked)
    else:
        check_place(out, overwrite=overwrite, resume=resume)
        model = _checked(asked)
        with only_one(asked.partial, out):
            _make(asked, model)
    wait()
    return Run.open(out)


def _make(asked: _Asked, model: AnsweringModel) -> None:
    """Train in the partial folder, and put it into its place."""
    subject, out, ledger, partial = asked.subject, asked.out, asked.ledger, asked.partial
    check_folders(out, asked.overwrite, asked.resume)
    common = asked.in_common()
    if asked.resume:
        check_resumed(partial, common)
        if is_trained(partial):
            with new_folder(out, asked.overwrite, partial, CONTENTS):
                finish(partial)
            tell(None)
            return
        tidy(partial)
    samples = subject.samples(asked.track)
    rows = subject.training_rows(model, samples, asked.track)
    held_out = subject.held_out(model, asked.track)
    common.update(samples_digest(samples))
    if asked.resume:
        check_resumed(partial, common)
    elif ledger is None:
        clear(partial)
    purchase = None if ledger is None else _purchase(asked, ledger)
    with (
        new_folder(out, asked.overwrite, partial, CONTENTS) as folder,
        _on_machine(model, asked.backend, asked.gradient, purchase) as (recorded, before_step),
    ):
        write_json(folder / OPTIONS, common)
        if purchase is not None:
            purchase.mark(folder)
        started = time.perf_counter()
        history = _trained(asked, model, folder / CHECKPOINTS, rows, held_out, before_step)
        bought = {}
        if purchase is not None and recorded is not None:
            bought = purchase.finish(recorded, history)
        info = {
            **_facts(subject, samples, model),
            **_machine_facts(asked),
            **bought,
            "seconds": round(time.perf_counter() - started, 2),
        }
        model.module.cpu().eval()
        with told_by_the_disk("the run folder"):
            write_run(folder, model, info, history)
        finish(folder)


def _trained(
    asked: _Asked,
    model: AnsweringModel,
    checkpoints: Path,
    rows: Rows,
    held_out: Rows | None,
    before_step: BeforeStep | None,
) -> dict[str, list[float]]:
    """Make the steps, and return their history."""
    options = asked.subject.options
    with asked.track("training", options.steps) as report:
        log = Log(report, asked.gradient)
        trainer = make_trainer(model.module, rows, options, checkpoints, log, held_out=held_out)
        trainer.before_step = before_step
        begin = last_checkpoint(checkpoints) if asked.resume else None
        _run(trainer, tell("" if begin is None else str(begin)))
    return log.columns(trainer)


def _checked(asked: _Asked) -> AnsweringModel:
    """The model, once all is refused that can be without looking at the folder or the samples."""
    subject, backend, ledger = asked.subject, asked.backend, asked.ledger
    options = subject.options
    reporters(options)
    check_precision(options)
    subject.check_held_out()
    if not subject.data.tracked:
        check_memory(options)
    model = subject.build(asked.track)
    if backend is not None:
        check_trainable(model, backend, asked.gradient, ledger)
    check_disk(model.module, options, asked.partial / CHECKPOINTS)
    if ledger is not None:
        check_bought(options)
        if backend is None:
            raise InputError("a ledger keeps what a machine was asked: give the training a backend")
    return model


def _along(asked: _Asked) -> None:
    """What all processes but the first do: train along, and write nothing."""
    subject, backend, gradient = asked.subject, asked.backend, asked.gradient
    model = subject.build()
    if backend is not None:
        check_trainable(model, backend, gradient)
    rows = subject.training_rows(model, subject.samples())
    held_out = subject.held_out(model)
    begin = tell()
    if begin is not None:
        checkpoints = asked.partial / CHECKPOINTS
        with _on_machine(model, backend, gradient, None), silent("training", 1) as report:
            log = Log(report, gradient)
            trainer = make_trainer(
                model.module, rows, subject.options, checkpoints, log, held_out=held_out
            )
            _run(trainer, begin)


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


def _machine_facts(asked: _Asked) -> dict[str, Any]:
    """What ``run.json`` says of the machine, and of how its values were differentiated."""
    backend = asked.backend
    described = {"name": "statevector"} if backend is None else backend.describe()
    return {"backend": described, **gradient_facts(asked.gradient)}


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


def _purchase(asked: _Asked, ledger: Ledger) -> Purchase:
    """The training's run in the ledger: a new one, or the one that is gone on with."""
    from qvlm_qiskit.training import ledger as records
    from qvlm_qiskit.training.plan import plan_training

    subject, partial = asked.subject, asked.partial
    backend, sampled = cast("Backend", asked.backend), cast(SampledGradient, asked.gradient)
    store, recording = ledger.store, ledger.recording

    def planned() -> TrainingPlan:
        return ledger.plan or plan_training(
            subject, backend, sampled, store, recording, track=asked.track
        )

    if asked.resume:
        run = records.marked(partial, store)
        if run is None:
            raise InputError(f"nothing to resume at {partial}: it is of no run in a ledger")
        records.go_on(run, ledger, planned() if ledger.limited else None)
    else:
        plan = planned()
        records.give_up(partial, store)
        clear(partial)
        run = records.begin(subject, asked.out, backend, sampled, ledger, plan)
    return records.opened(run, backend, ledger)
