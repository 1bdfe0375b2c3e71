"""What a model is worth on held-out samples while it trains."""

from __future__ import annotations

import math
from typing import Any

from torch import nn
from transformers import Trainer

from qvlm_qiskit.evaluation.loss import row_loss, row_scores
from qvlm_qiskit.evaluation.metrics.perplexity import MOST_NATS
from qvlm_qiskit.model import HybridVLM


class HeldOut(Trainer):  # type: ignore[misc]
    """A ``Trainer`` that evaluates on all held-out samples, words token by token.

    transformers' own means of batches count short answers more than long ones, and leave out the
    samples behind the last whole batch. Every process of several computes the same numbers.
    """

    control: Any

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Loss in nats per token, next-token accuracy and perplexity, as `qvlm evaluate` has them.

        Of a model that does not generate words, the mean loss of the samples alone.

        Args:
            eval_dataset: Encoded samples, by default those of the trainer.
            ignore_keys: Not used here.
            metric_key_prefix: In front of the numbers' names.
        """
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        trains = self.model.training
        measured = _of_tokens if isinstance(self.model, HybridVLM) else _of_samples
        found = measured(self.model.eval(), rows, self.args.per_device_eval_batch_size)
        self.model.train(trains)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


def _of_tokens(model: HybridVLM, rows: Any, batch_size: int) -> dict[str, float]:
    scores = row_scores(model, rows, batch_size)
    tokens = scores.tokens.sum()
    loss = float(scores.loss.sum() / tokens)
    return {
        "loss": loss,
        "accuracy": float(scores.right.sum() / tokens),
        "perplexity": math.exp(min(loss, MOST_NATS)),
    }


def _of_samples(model: nn.Module, rows: Any, batch_size: int) -> dict[str, float]:
    return {"loss": row_loss(model, rows, batch_size)}
