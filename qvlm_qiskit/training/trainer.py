"""transformers' ``Trainer`` on a model, and what its log keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainingArguments

from qvlm_qiskit.basics.progress import Reporter
from qvlm_qiskit.data.batch import EncodedSamples, collate
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLM
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.quantum.gradients.sampled import Skipped
from qvlm_qiskit.recipes import TrainingOptions

BeforeStep = Callable[[int, Mapping[str, Tensor]], None]
"""Called with the number of a step, from 1, and its batch, before its forward pass."""


class StepTrainer(Trainer):  # type: ignore[misc]
    """A ``Trainer`` that says what it is about to do.

    Attributes:
        before_step: Called before each step.
        exact: Makes the steps in place of what the layers run on, where that is only asked.
    """

    before_step: BeforeStep | None = None
    exact: BaseEstimatorV2 | None = None

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss of a batch, once `before_step` has returned."""
        if self.before_step is not None:
            self.before_step(self.state.global_step + 1, inputs)
        with nullcontext() if self.exact is None else self.model.run_on(self.exact):
            return super().compute_loss(model, inputs, *args, **kwargs)


def make_trainer(
    model: HybridVLM,
    rows: EncodedSamples,
    options: TrainingOptions,
    checkpoints: Path,
    log: Log,
    *,
    saves: bool = True,
) -> StepTrainer:
    """A ``Trainer`` of a model on encoded samples, silent but for its log.

    Args:
        model: On the estimators that it trains on.
        rows: Encoded samples.
        options: Of the training.
        checkpoints: Folder of the checkpoints.
        log: Moves the bar and keeps the history.
        saves: Whether there are checkpoints.
    """
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
        save_strategy="steps" if saves else "no",
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
    trainer = StepTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=collate,
        callbacks=[log],
    )
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ == "PrinterCallback":  # our bar shows what it would print
            trainer.remove_callback(callback)
    return trainer


class Log(TrainerCallback):  # type: ignore[misc]
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
        """Move the bar."""
        self.report(state.global_step, self.note)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float], model: Any, **kwargs: Any
    ) -> None:
        """Note what a logged step has beside its loss.

        Raises:
            InputError: The loss is not finite.
        """
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
