"""Training: transformers' ``Trainer`` on exact circuits, from options to a run folder.

Circuits run on noise-free statevectors, this package's own or Aer's, or with the noise of a backend
of exact values.
"""

from __future__ import annotations

import dataclasses
import json
import math
import platform
import shutil
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from qiskit.primitives.base import BaseEstimatorV2
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from qvlm_qiskit import __version__
from qvlm_qiskit.basics.files import LOCK, check_new_folder, new_folder, only_one, write_json
from qvlm_qiskit.basics.memory import memory_bytes
from qvlm_qiskit.basics.progress import Reporter, Track, silent
from qvlm_qiskit.data.batch import collate, encode_training
from qvlm_qiskit.data.registry import find_data, open_data
from qvlm_qiskit.errors import BackendError, CapacityError, InputError, RunFolderError
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, HybridVLMProcessor, build_processor
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.quantum.gradients.sampled import Skipped
from qvlm_qiskit.recipes import LATER
from qvlm_qiskit.recipes import TrainingOptions as TrainingOptions
from qvlm_qiskit.runs import CONTENTS, PARTIAL, Run, no_transformers_bars, write_run


class TrainingBackend(Protocol):
    """What ``open_backend`` returns, as far as training uses it."""

    @property
    def name(self) -> str:
        """The name that it was opened by."""
        ...

    @property
    def kind(self) -> str:
        """Such as "exact" or "hardware"."""
        ...

    def estimator(self) -> BaseEstimatorV2:
        """The whole stack."""
        ...

    def device_description(self) -> dict[str, Any]:
        """What its values depend on, JSON-able."""
        ...

    def describe(self) -> dict[str, Any]:
        """The same with everything that a report states."""
        ...


def train(
    options: TrainingOptions,
    out: Path,
    *,
    backend: TrainingBackend | None = None,
    gradient: SampledGradient | None = None,
    overwrite: bool = False,
    resume: bool = False,
    track: Track = silent,
) -> Run:
    """Train a model on a data set and leave a run folder.

    While it trains, everything lies in ``<out>.partial``; an interrupted training goes on from its
    last checkpoint with ``resume``.

    Args:
        options: What to train.
        out: The run folder; appears when the training is complete.
        backend: Where circuits run and are differentiated, such as
            ``open_backend("aer")`` or ``open_backend("noisy:fake_torino", precision=0)``; by
            default this package's noise-free statevectors.
        gradient: How a backend's values are differentiated if it samples them.
        overwrite: Replace a run folder that is there, and start over where an interrupted training
            could go on. A folder that holds anything else is never replaced.
        resume: Go on with an interrupted training of the same options.
        track: Opens progress bars.

    Raises:
        InputError: ``out`` is taken, another process trains there, an interrupted training lies
            there, there is nothing to resume, or other options.
        BackendError: The backend's values can't be differentiated.
        CapacityError: A circuit is too large for that, or the training set for the memory.
    """
    check_place(out, overwrite=overwrite, resume=resume)
    partial = partial_folder(out)
    _check_memory(options)
    model, processor = build_model(options)
    if backend is not None:
        check_trainable(model, backend, gradient)
    with only_one(partial, out):
        _check_folders(out, overwrite, resume)
        asked = _asked(options, backend, gradient)
        if resume:
            _check_resumed(partial, asked)
        else:
            _clear(partial)
        running = nullcontext() if backend is None else model.run_on(backend, gradient)
        with new_folder(out, overwrite, partial, CONTENTS) as folder, running:
            checkpoints = folder / "checkpoints"
            write_json(folder / "options.json", asked)
            started = time.perf_counter()
            # encoding the samples takes seconds: the bar is up before it
            with track("training", options.steps) as report:
                samples = open_data(options.data, "train", options.train_samples, options.seed)
                rows = encode_training(processor, samples)
                log = _Log(report, gradient)
                trainer = _trainer(model, rows, options, checkpoints, log)
                with no_transformers_bars():
                    trainer.train(
                        resume_from_checkpoint=_last_checkpoint(checkpoints) if resume else None
                    )
            info = {
                "package": {"qvlm-qiskit": __version__, "torch": torch.__version__},
                "python": platform.python_version(),
                "options": dataclasses.asdict(options),
                "backend": {"name": "statevector"} if backend is None else backend.describe(),
                **_gradient(gradient),
                "data": {"name": options.data, "train_samples": options.train_samples},
                "parameters": sum(p.numel() for p in model.parameters()),
                "quantum_parameters": sum(q.weight.numel() for q in model.quantum_layers.values()),
                "seconds": round(time.perf_counter() - started, 2),
            }
            write_run(folder, model.cpu().eval(), processor, info, log.columns(trainer))
            shutil.rmtree(checkpoints, ignore_errors=True)
            (folder / "options.json").unlink()
    return Run.open(out)


def _check_memory(options: TrainingOptions) -> None:
    """Refuse a training set that does not fit: all of it is encoded before the first step.

    Raises:
        CapacityError: Its pixels alone, kept and stacked, take more than this machine has.
    """
    vision: Any = configuration(options).vision_config
    pixels = vision.num_channels * vision.image_size**2
    needed, there = 2 * 4 * pixels * options.train_samples, memory_bytes()
    if needed > there:
        raise CapacityError(
            f"{options.train_samples:,} training samples of {pixels:,} numbers take "
            f"{needed / 2**30:.1f} GiB, and this machine's memory is {there / 2**30:.1f} GiB"
        )


def partial_folder(out: Path) -> Path:
    """Where a training of a run folder lies until it is whole."""
    return out.with_name(out.name + ".partial")


def check_place(out: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse to train where something would be lost, before any work is done.

    Raises:
        InputError: A folder that may not be replaced, a training that could go on, or another
            process that trains there.
        RunFolderError: There is nothing to resume.
    """
    check_new_folder(out, overwrite, CONTENTS)
    if (partial_folder(out) / LOCK).exists():
        with only_one(partial_folder(out)):
            pass
    _check_folders(out, overwrite, resume)


def _check_folders(out: Path, overwrite: bool, resume: bool) -> None:
    check_new_folder(out, overwrite, CONTENTS)
    partial = partial_folder(out)
    check_new_folder(partial, overwrite=True, holds=PARTIAL)
    steps = checkpointed(out)
    if resume and steps is None:
        raise RunFolderError(f"nothing to resume at {partial}: it holds no checkpoint")
    if steps is not None and not (resume or overwrite):
        raise InputError(
            f"an interrupted training lies at {partial}, with {steps} steps done: go on with "
            "--resume, or start over with --overwrite"
        )


def checkpointed(out: Path) -> int | None:
    """The steps that an interrupted training need not repeat; None where there is none."""
    last = _last_checkpoint(partial_folder(out) / "checkpoints")
    return None if last is None else int(last.rsplit("-", 1)[1])


def check_trainable(
    model: HybridVLM, backend: TrainingBackend, gradient: SampledGradient | None = None
) -> None:
    """Compile every circuit for a backend and make sure that its values can be differentiated.

    Raises:
        InputError: The model has no circuits, or a gradient of samples for exact values.
        BackendError: The backend samples and no gradient was named, or its rows are paid for.
        CapacityError: A circuit is too large.
    """
    if not model.quantum_layers:
        raise InputError(f"the model has no circuits that could be trained on {backend.name!r}")
    if backend.kind == "hardware":
        raise BackendError(
            f"can't train on {backend.name!r}: training does not go through the ledger, and what "
            "hardware runs is paid for. Train on a simulator and submit the model's evaluation"
        )
    with model.run_on(backend):
        exact = [one.differentiable_engine() is not None for one in model.quantum_layers.values()]
    if not all(exact) and gradient is None:
        raise BackendError(
            f"can't train on {backend.name!r} without a gradient for its samples: 'param_shift' "
            "or 'spsa'. Exact values come from 'statevector', 'aer' and 'noisy:…' (precision=0)"
        )
    if all(exact) and gradient is not None:
        raise InputError(
            f"{backend.name!r} is differentiated exactly: a gradient of samples goes with shots"
        )


def _gradient(gradient: SampledGradient | None) -> dict[str, Any]:
    return {} if gradient is None else {"gradient": dataclasses.asdict(gradient)}


def _asked(
    options: TrainingOptions, backend: TrainingBackend | None, gradient: SampledGradient | None
) -> dict[str, Any]:
    """What an interrupted training must have in common with the one that goes on."""
    where = "statevector" if backend is None else backend.device_description()
    return {**dataclasses.asdict(options), "backend": where, **_gradient(gradient)}


def configuration(options: TrainingOptions, vocab_size: int = 64) -> HybridVLMConfig:
    """The configuration of the model that options ask for.

    Args:
        options: What to train.
        vocab_size: Of the tokenizer.
    """
    return HybridVLMConfig.recipe(options.recipe, vocab_size, options.blocks, options.chosen_blocks)


def build_model(options: TrainingOptions) -> tuple[HybridVLM, HybridVLMProcessor]:
    """An untrained model and its processor, the same for the same seed."""
    processor = build_processor(configuration(options), find_data(options.data).vocabulary())
    config = configuration(options, len(processor.tokenizer))
    set_seed(options.seed)
    return HybridVLM(config), processor


def _clear(partial: Path) -> None:
    """Remove what a training left that is not gone on with; its lock stays."""
    for one in partial.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
        elif one.name != LOCK:
            one.unlink()


def _check_resumed(partial: Path, now: dict[str, Any]) -> None:
    """Refuse to go on with a training of other options."""
    record = partial / "options.json"
    try:
        before = dict(json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(f"nothing to resume at {partial}: options.json is damaged") from error
    # a training that an older release began
    before = {"backend": "statevector", **LATER, **before}
    changed = [f"{k}={before.get(k)}" for k in now if now[k] != before.get(k)]
    if changed:
        raise InputError(f"the training at {partial} was started with {', '.join(changed)}")


def _last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end: the trainer's state comes last."""
    found = [p for p in folder.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
    return str(max(found, key=lambda p: int(p.name.split("-")[1]))) if found else None


def _trainer(
    model: HybridVLM,
    rows: list[dict[str, torch.Tensor]],
    options: TrainingOptions,
    checkpoints: Path,
    log: _Log,
) -> Trainer:
    warmup = options.steps // 10 if options.warmup_steps is None else options.warmup_steps
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=options.steps,
        per_device_train_batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        lr_scheduler_type="cosine",
        warmup_steps=warmup,
        max_grad_norm=1.0,
        seed=options.seed,
        data_seed=options.seed,
        save_steps=options.checkpoint_every,
        save_total_limit=1,
        logging_steps=max(1, options.steps // 100),
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_drop_last=len(rows) >= options.batch_size,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        log_level="error",
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,  # type: ignore[arg-type]
        data_collator=collate,
        callbacks=[log],
    )
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ == "PrinterCallback":  # our bar shows what it would print
            trainer.remove_callback(callback)
    return trainer


class _Log(TrainerCallback):  # type: ignore[misc]
    """Moves the progress bar and notes the gates' values at every logged step."""

    def __init__(self, report: Reporter, gradient: SampledGradient | None) -> None:
        self.report = report
        self.gradient = gradient
        self.note = ""

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any, **kwargs: Any) -> None:
        """Directions and counts are those of the step, so that a resumed training has the same."""
        for number, layer in enumerate(model.quantum_layers.values()):
            layer.reseed(args.seed, state.global_step, number)
            if layer.skipped is not None:
                layer.skipped.restart()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.report(state.global_step, self.note)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float], model: Any, **kwargs: Any
    ) -> None:
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"the training diverged: the loss of step {state.global_step} is {logs['loss']}; "
                f"try a lower learning rate than {args.learning_rate}"
            )
        gates = {f"gate_{name}": value for name, value in model.gate_values().items()}
        # log_history is saved with checkpoints, so the gates survive a resume
        state.log_history[-1].update(gates)
        self.note = f"loss {logs['loss']:.3f}"
        if self.gradient is not None and self.gradient.prune:
            skipped = sum((q.skipped for q in model.quantum_layers.values()), Skipped()).fraction
            state.log_history[-1]["skipped"] = skipped
            self.note += f", {100 * skipped:.0f} % of slopes skipped"

    def columns(self, trainer: Trainer) -> dict[str, list[float]]:
        """The training history as columns."""
        rows = [row for row in trainer.state.log_history if "loss" in row]
        names = ["step", "loss", "learning_rate"]
        names += [name for name in ("skipped",) if any(name in row for row in rows)]
        names += sorted({key for row in rows for key in row if key.startswith("gate_")})
        return {name: [float(row[name]) for row in rows] for name in names}
