"""transformers' ``Trainer`` on a model, and what its log keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sized
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import torch
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor, nn
from torch.utils.data import Dataset, RandomSampler
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.integrations import TensorBoardCallback
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    get_reporting_integration_callbacks,
)

from qvlm_qiskit.basics.computer.processes import count
from qvlm_qiskit.basics.progress import Reporter
from qvlm_qiskit.blocks import gate_values
from qvlm_qiskit.data.batch import collate
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import SampledGradient, quantum_layers, run_on
from qvlm_qiskit.quantum.gradients.sampled import Skipped
from qvlm_qiskit.recipes import TrainingOptions
from qvlm_qiskit.training.expert_load import ExpertLoad
from qvlm_qiskit.training.held_out import HeldOut
from qvlm_qiskit.training.saving import WholeCheckpoints

BeforeStep = Callable[[int, Mapping[str, Tensor]], None]
"""Called with the number of a step, from 1, and its batch, before its forward pass."""


class StepTrainer(HeldOut, WholeCheckpoints):
    """A ``Trainer`` that says what it is about to do.

    Attributes:
        before_step: Called before each step.
        exact: Makes the steps in place of what the layers run on, where that is only asked.
        circuits: What the circuits' gradient was at the last logged step.
        load: Of the decoder's experts.
    """

    before_step: BeforeStep | None = None
    exact: BaseEstimatorV2 | None = None
    circuits: Mapping[str, float] = MappingProxyType({})
    load: ExpertLoad | None = None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """What reporters and the history get: with gates, experts and the circuits' gradient."""
        if "loss" in logs:
            gates = {f"gate_{name}": value for name, value in gate_values(self.model).items()}
            load = {} if self.load is None else self.load.shares()
            logs = {**logs, **gates, **self.circuits, **load}
        super().log(logs, start_time)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Of the samples in a new order, those that fill whole steps.

        However many processes share its batches, a step is made of the same samples.
        """
        rows = self.train_dataset if train_dataset is None else train_dataset
        step = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        step *= self.args.world_size
        if len(rows) < step:
            return super()._get_train_sampler(rows)
        return RandomSampler(rows, num_samples=len(rows) // step * step)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """The usual one; a model's ``rate_factors`` are parts with rates of their own."""
        optimizer = super().create_optimizer(*args, **kwargs)
        factors: Mapping[str, float] = getattr(self.model, "rate_factors", {})
        if factors:
            names = {parameter: name for name, parameter in self.model.named_parameters()}
            optimizer.param_groups[:] = [
                part for group in optimizer.param_groups for part in _by_rate(group, names, factors)
            ]
        return optimizer

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch, once `before_step` has returned."""
        if self.before_step is not None:
            self.before_step(self.state.global_step + 1, inputs)
        with nullcontext() if self.exact is None else run_on(self.model, self.exact):
            return super().compute_loss(model, inputs, *args, **kwargs)


def _by_rate(
    group: dict[str, Any], names: Mapping[Tensor, str], factors: Mapping[str, float]
) -> list[dict[str, Any]]:
    """A group of an optimiser's parameters, apart by the rates that the longest prefix says."""
    found: dict[float, list[Tensor]] = {}
    for parameter in group["params"]:
        said = [prefix for prefix in factors if names[parameter].startswith(prefix)]
        factor = factors[max(said, key=len)] if said else 1.0
        found.setdefault(factor, []).append(parameter)
    return [
        {**group, "params": params, "lr": factor * group["lr"]} for factor, params in found.items()
    ]


def make_trainer(
    model: nn.Module,
    rows: Dataset[dict[str, Tensor]],
    options: TrainingOptions,
    checkpoints: Path,
    log: Log,
    *,
    held_out: Dataset[dict[str, Tensor]] | None = None,
    saves: bool = True,
) -> StepTrainer:
    """A ``Trainer`` of a model on encoded samples, silent but for its log.

    Args:
        model: On the estimators that it trains on.
        rows: Encoded samples.
        options: Of the training.
        checkpoints: Folder of the checkpoints.
        log: Moves the bar and keeps the history.
        held_out: Samples whose loss is measured while it trains.
        saves: Whether there are checkpoints.
    """
    callbacks: list[TrainerCallback] = [log]
    if held_out is not None and options.patience is not None:
        callbacks.append(EarlyStoppingCallback(options.patience))
    trainer = StepTrainer(
        model=model,
        args=_arguments(rows, options, checkpoints, held_out, saves),
        train_dataset=rows,
        eval_dataset=held_out,
        data_collator=collate,
        callbacks=callbacks,
    )
    trainer.circuits, trainer.load = log.circuits, ExpertLoad(model)
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ == "PrinterCallback":  # our bar shows what it would print
            trainer.remove_callback(callback)
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(checkpoints.with_name("reports"))
    return trainer


def _arguments(
    rows: Dataset[dict[str, Tensor]],
    options: TrainingOptions,
    checkpoints: Path,
    held_out: Dataset[dict[str, Tensor]] | None,
    saves: bool,
) -> TrainingArguments:
    """What transformers' ``Trainer`` is told of a training."""
    warmup = options.steps // 10 if options.warmup_steps is None else options.warmup_steps
    return TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=options.steps,
        per_device_train_batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        lr_scheduler_type=options.schedule,
        warmup_steps=warmup,
        max_grad_norm=options.clip,
        gradient_accumulation_steps=options.accumulate // count(),
        seed=options.seed,
        data_seed=options.seed,
        save_strategy="steps" if saves else "no",
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, options.steps // 100),
        logging_nan_inf_filter=False,
        report_to=reporters(options),
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_drop_last=len(cast(Sized, rows)) >= options.batch_size,
        dataloader_pin_memory=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        log_level="error",
        bf16=options.precision == "bf16",
        fp16=options.precision == "fp16",
        **_recomputed(options),
        **{"save_steps": options.checkpoint_every, **_evaluated(options, held_out, saves)},
    )


def reporters(options: TrainingOptions) -> list[str]:
    """Names of the reporters of a training.

    Raises:
        InputError: One is unknown, or not installed.
    """
    names = [name.strip() for name in options.reports.split(",") if name.strip()]
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            raise UnknownNameError("reporter", name, INTEGRATION_TO_CALLBACK)
    try:
        for reporter in get_reporting_integration_callbacks(names):
            reporter()
    except (ImportError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"can't report to {', '.join(names)}: {said[:160]}") from error
    return names


def _recomputed(options: TrainingOptions) -> dict[str, Any]:
    """Arguments of activation checkpointing, by the names of this version of transformers."""
    if not options.recompute:
        return {}
    new = "activation_checkpointing" in TrainingArguments.__dataclass_fields__
    name = "activation_checkpointing" if new else "gradient_checkpointing"
    return {name: True, f"{name}_kwargs": {"use_reentrant": False}}


def _evaluated(
    options: TrainingOptions, held_out: Dataset[dict[str, Tensor]] | None, saves: bool
) -> dict[str, Any]:
    """Arguments of a training whose loss on held-out samples decides what is kept."""
    if held_out is None:
        return {}
    every = {"eval_strategy": "steps", "eval_steps": options.evaluate_every}
    every["per_device_eval_batch_size"] = options.batch_size
    if not saves:
        return every
    best = {"load_best_model_at_end": True, "metric_for_best_model": "loss"}
    # the best weights are those of a checkpoint; the last one is kept beside
    return {**every, **best, "greater_is_better": False, "save_steps": options.evaluate_every}


class Log(TrainerCallback):  # type: ignore[misc]
    """Moves the progress bar, and notes what a logged step has beside its loss.

    Attributes:
        circuits: Norm and variance of the gradient of all circuits' angles, clipped, at the last
            logged step.
    """

    def __init__(self, report: Reporter, gradient: SampledGradient | None) -> None:
        self.report = report
        self.gradient = gradient
        self.note = ""
        self.circuits: dict[str, float] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The best checkpoint is known by its step: its folder may have another name by now."""
        if state.best_global_step is not None:
            best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
            state.best_model_checkpoint = str(best) if best.is_dir() else None

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any, **kwargs: Any) -> None:
        """Directions and counts are those of the step, so that a resumed training has the same."""
        for number, layer in enumerate(quantum_layers(model).values()):
            layer.reseed(args.seed, state.global_step, number)
            if layer.skipped is not None:
                layer.skipped.restart()

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, model: Any, **kwargs: Any
    ) -> None:
        """Note the circuits' gradient before it is gone."""
        if (state.global_step + 1) % state.logging_steps:
            return
        layers = quantum_layers(model).values()
        parts = [g.flatten() for q in layers if (g := q.weight.grad) is not None and g.numel()]
        if parts:
            gradient = torch.cat(parts).double()
            self.circuits["circuit_grad_norm"] = float(gradient.norm())
            self.circuits["circuit_grad_variance"] = float(gradient.var(correction=0))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        self.report(state.global_step, self.note)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float], model: Any, **kwargs: Any
    ) -> None:
        """Note what a logged step has beside its loss.

        Raises:
            InputError: The loss is not finite.
        """
        if "eval_loss" in logs:
            self.note = f"held-out loss {logs['eval_loss']:.3f}"
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"the training diverged: the loss of step {state.global_step} is {logs['loss']}; "
                f"try a lower learning rate than {args.learning_rate}"
            )
        self.note = f"loss {logs['loss']:.3f}"
        if self.gradient is not None and self.gradient.prune:
            found = [q.skipped for q in quantum_layers(model).values()]
            skipped = sum((one for one in found if one is not None), Skipped()).fraction
            # log_history is saved with checkpoints, so that it survives a resume
            state.log_history[-1]["skipped"] = skipped
            self.note += f", {100 * skipped:.0f} % of slopes skipped"

    def columns(self, trainer: Trainer) -> dict[str, list[float]]:
        """The training history as columns."""
        rows = [row for row in trainer.state.log_history if "loss" in row]
        names = ["step", "loss", "learning_rate"]
        names += [name for name in ("skipped",) if any(name in row for row in rows)]
        names += sorted({key for row in rows for key in row if key.startswith(("gate_", "load_"))})
        columns = {name: [float(row[name]) for row in rows] for name in names}
        held_out = [row for row in trainer.state.log_history if "eval_loss" in row]
        if held_out:
            columns["held_out_step"] = [float(row["step"]) for row in held_out]
            for name in ("loss", "accuracy", "perplexity"):  # earlier releases had the loss alone
                if all(f"eval_{name}" in row for row in held_out):
                    columns[f"held_out_{name}"] = [float(row[f"eval_{name}"]) for row in held_out]
        return columns
