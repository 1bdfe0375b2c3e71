"""What a training step asks of a machine, found before the step is made.

A forward pass that only collects finds the values and the shifted rows of every layer; they are
asked for together. A layer whose inputs depend on another circuit's values has asked nothing by
then: it takes one more round, whose first answers are known by now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from torch import Tensor, nn

from qvlm_qiskit.blocks import blocks_in
from qvlm_qiskit.inference.same_rows import angles_in_double
from qvlm_qiskit.quantum import SampledGradient, quantum_layers, run_on
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead, Collected

Batch = Mapping[str, Tensor]
Asked = Callable[[int, Sequence[EstimatorPub]], None]
"""Called with the step, counted from 1, and the pubs of a round, before they are answered."""


class StepsAhead:
    """Has all rows of a step answered in one call of an estimator for each round.

    Args:
        model: Its layers run on `ahead`.
        ahead: In front of the machine.
        before: Called before a round is asked for; what it raises ends the training there.
    """

    def __init__(self, model: nn.Module, ahead: AskedAhead, before: Asked | None = None) -> None:
        self.model, self.ahead, self.before = model, ahead, before

    def __call__(self, step: int, batch: Batch) -> None:
        """Ask for what a step on a batch needs; the step itself is made afterwards."""
        for found in self.rounds(batch):
            if self.before is not None:
                self.before(step, list(found.pubs.values()))
            self.ahead.learn(found.pubs)

    def rounds(self, batch: Batch) -> Iterator[Collected]:
        """What a step on a batch asks, round by round.

        Where a layer waits for a round, it has to be answered before the next one is taken.
        """
        self.ahead.forget()
        waits = True
        while waits:
            found = self._collected(batch)
            waits = bool(found.pubs) and found.waits
            if found.pubs:
                yield found

    def _collected(self, batch: Batch) -> Collected:
        inputs: dict[str, Any] = {name: part for name, part in batch.items() if name != "labels"}
        with _unmoved(self.model), self.ahead.collecting() as found:
            self.model(**inputs)
        return found


@contextmanager
def asking(model: nn.Module, ahead: AskedAhead, gradient: SampledGradient) -> Iterator[None]:
    """Until the end of the block, a model's layers ask ahead, for equal rows once."""
    with angles_in_double(model), run_on(model, ahead, gradient), ExitStack() as stack:
        for block in blocks_in(model).values():
            own = ahead.with_grid(block.angle_grid)
            for layer in block.layers.values():
                stack.enter_context(layer.run_on(own, gradient))
        yield


@contextmanager
def _unmoved(model: nn.Module) -> Iterator[None]:
    """Whatever a forward pass draws or counts, the next one draws and counts again."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(range(torch.cuda.device_count())))
        for layer in quantum_layers(model).values():
            stack.enter_context(layer.same_directions())
        yield
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
