"""The table of the Hybrid-QVLM README: what every part of a model takes, three models side by side.

The quantum model, its classical twin of the same shape, and the plain model without blocks are made
of the same options and given the same batch. Each part is measured alone, on what it is given in a
forward pass of its model, forward and with its backward pass; so is the whole step.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import set_seed

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.batch import collate, encode_training
from qvlm_qiskit.data.registry import find_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, build_processor
from qvlm_qiskit.models.hybrid_vlm import configuration
from qvlm_qiskit.profiling.clock import Run, in_turn, peak_bytes
from qvlm_qiskit.profiling.components import COMPONENTS, Call, caught
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.recipes import TrainingOptions

KINDS = {"quantum": "quantum", "twin": "classical", "plain": "none"}
"""What a column is called → what its model's blocks are."""
STEP = "whole step"
PUBLISHED_VOCABULARY = 50_262
"""Of ``paper``: GPT-2's tokens and five more, see `qvlm_qiskit.model.recipes.RECIPES`."""


@dataclass(frozen=True)
class Cost:
    """What a part takes in one model.

    Attributes:
        forward: Milliseconds of its forward passes in one step, the median over rounds.
        both: With their backward passes; NaN where the circuits give no gradients.
        peak: Bytes that memory rises by; None where the system does not say.
        count: How many of it a step has.
    """

    forward: float
    both: float
    peak: int | None
    count: int


@dataclass(frozen=True)
class Profile:
    """Parts and the whole step, by model.

    Attributes:
        costs: Column of `KINDS` → part → what it takes.
        parameters: Column → parameters of its model.
        about: Recipe, batch, machine, threads, versions.
    """

    costs: Mapping[str, Mapping[str, Cost]]
    parameters: Mapping[str, int]
    about: Mapping[str, Any]

    def share(self, part: str, kind: str = "quantum", which: str = "both") -> float:
        """A part's share of the whole step of a model; parts are measured apart, so about that.

        Args:
            part: One of the parts.
            kind: Column of `KINDS`.
            which: "forward", or "both" for the backward pass too.

        Returns:
            NaN where it was not measured.
        """
        costs = self.costs[kind]
        if part not in costs:
            return 0.0
        own, whole = getattr(costs[part], which), getattr(costs[STEP], which)
        return float(own / whole)

    def as_dict(self) -> dict[str, Any]:
        """Plain data; what was not measured is None."""

        def plain(cost: Cost) -> dict[str, Any]:
            return {
                "forward_ms": cost.forward,
                "forward_backward_ms": None if math.isnan(cost.both) else cost.both,
                "peak_bytes": cost.peak,
                "count": cost.count,
            }

        costs = {k: {p: plain(c) for p, c in parts.items()} for k, parts in self.costs.items()}
        which = "forward" if math.isnan(self.costs["quantum"][STEP].both) else "both"
        shares = {p: self.share(p, which=which) for p in COMPONENTS if p in self.costs["quantum"]}
        return {
            **self.about, "parameters": dict(self.parameters), "parts": costs, "shares": shares,
        }  # fmt: skip


def profile(
    options: TrainingOptions,
    *,
    backend: EstimatorSource | None = None,
    vocabulary: int | None = None,
    rounds: int = 7,
    track: Track = silent,
) -> Profile:
    """Measure a model part by part beside its twin and the plain model.

    Args:
        options: Of a training of `HybridVLM`: recipe, blocks in their places, data, batch size.
        backend: Where the quantum model's circuits run; by default exact statevectors.
        vocabulary: Tokens of the models, at least those of the data; by default those of the data,
            for recipe ``paper`` `PUBLISHED_VOCABULARY`.
        rounds: Measurements of each part, of which the median counts.
        track: Opens a progress bar.

    Raises:
        InputError: A vocabulary that is too small, no rounds, options of a model that does not fit
            in memory, or a machine that is paid for.
    """
    if rounds < 1:
        raise InputError(f"rounds must be at least 1, got {rounds}")
    check_backend(backend)
    batch, size = _batch(options, vocabulary)
    configs = {
        name: _with_vocabulary(configuration(replace(options, blocks=kind)), size)
        for name, kind in KINDS.items()
    }
    held = 2 * sum(_bytes(config) for config in configs.values())  # weights and gradients
    together = held < memory_bytes() / 2
    groups = [list(KINDS)] if together else [[name] for name in KINDS]
    costs: dict[str, Mapping[str, Cost]] = {}
    parameters: dict[str, int] = {}
    for names in groups:
        models = {name: _built(configs[name], options.seed) for name in names}
        parameters |= {n: sum(p.numel() for p in m.parameters()) for n, m in models.items()}
        costs |= _measured(models, batch, backend, rounds, track)
        del models
        gc.collect()
    about = {
        "recipe": options.recipe, "batch_size": len(batch["input_ids"]),
        "tokens": batch["input_ids"].shape[1], "vocabulary": size, "rounds": rounds,
        "interleaved": together, "threads": torch.get_num_threads(),
    }  # fmt: skip
    return Profile(costs, parameters, about)


def check_backend(backend: EstimatorSource | None) -> None:
    """Refuse a machine on which every round would be paid for.

    Raises:
        InputError: Such a machine.
    """
    if (
        getattr(backend, "kind", None) == "hardware"
        or getattr(backend, "service", None) is not None
    ):
        raise InputError(
            "a profile runs every part many times and keeps nothing: its machine must not be one "
            "that is paid for (qvlm preflight says what that takes)"
        )


def _batch(options: TrainingOptions, vocabulary: int | None) -> tuple[dict[str, Tensor], int]:
    """A step's samples, encoded, and how many tokens the models know."""
    data = find_data(options.data)
    processor = build_processor(configuration(options), data.vocabulary(), options.tokenizer)
    samples = data.open("train", options.batch_size, options.seed)
    batch = collate(list(encode_training(processor, samples)))
    known = len(processor.tokenizer)
    if vocabulary is None:
        vocabulary = PUBLISHED_VOCABULARY if options.recipe == "paper" else known
    if vocabulary < known:
        raise InputError(f"vocabulary must be at least {known}, the tokens of the data")
    return batch, vocabulary


def _with_vocabulary(config: HybridVLMConfig, size: int) -> HybridVLMConfig:
    text: Any = config.text_config
    text.vocab_size = size
    return config


def _bytes(config: HybridVLMConfig) -> int:
    with torch.device("meta"):
        return sum(p.numel() * p.element_size() for p in HybridVLM(config).parameters())


def _built(config: HybridVLMConfig, seed: int) -> HybridVLM:
    set_seed(seed)
    model: HybridVLM = HybridVLM(config).train()
    return model


def _measured(
    models: Mapping[str, HybridVLM],
    batch: Mapping[str, Tensor],
    backend: EstimatorSource | None,
    rounds: int,
    track: Track,
) -> dict[str, dict[str, Cost]]:
    """Everything about models that fit into memory together."""
    with ExitStack() as machines:
        trains = {}
        for name, model in models.items():
            if backend is not None and name == "quantum":
                machines.enter_context(model.run_on(backend))
            trains[name] = all(
                layer.differentiable_engine() is not None for layer in model.quantum_layers.values()
            )
        parts = {name: _parts(model, batch, trains[name]) for name, model in models.items()}
        calls = {
            (name, part, how): call
            for name, found in parts.items()
            for part, (_, ways) in found.items()
            for how, call in ways.items()
        }
        with track(f"measuring {', '.join(models)}", len(calls) * (rounds + 1)) as report:
            times = in_turn(calls, rounds, report)
        return {
            name: {
                part: Cost(
                    times[name, part, "forward"],
                    times.get((name, part, "both"), math.nan),
                    peak_bytes(list(ways.values())[-1]),
                    count,
                )
                for part, (count, ways) in found.items()
            }
            for name, found in parts.items()
        }


def _parts(
    model: HybridVLM, batch: Mapping[str, Tensor], trains: bool
) -> dict[str, tuple[int, dict[str, Run]]]:
    """Part → how many of it there are, and what runs them all, forward and with its backward."""
    found = {
        name: (len(calls), _ways(partial(_forward, calls), partial(_both, calls), trains))
        for name, calls in caught(model, batch).items()
    }
    whole = _ways(partial(_pass, model, batch), partial(_step, model, batch), trains)
    return {**found, STEP: (1, whole)}


def _ways(forward: Run, both: Run, trains: bool) -> dict[str, Run]:
    return {"forward": forward, **({"both": both} if trains else {})}


def _forward(calls: Sequence[Call]) -> None:
    with torch.no_grad():
        for call in calls:
            call.forward()


def _both(calls: Sequence[Call]) -> None:
    for call in calls:
        found = call.forward()
        if found.requires_grad:
            torch.autograd.backward(found, torch.ones_like(found))


def _pass(model: HybridVLM, batch: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        model(**batch)


def _step(model: HybridVLM, batch: Mapping[str, Tensor]) -> None:
    """Forward and backward pass; the optimiser's part is the same for every model."""
    model.zero_grad()
    model(**batch).loss.backward()
