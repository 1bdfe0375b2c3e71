"""The work of one process: compress a model in one way, heal it, and measure it on the way."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from qvlm_qiskit.adapter.inspection import compress
from qvlm_qiskit.studies.compression.language import loss_of, open_language, train
from qvlm_qiskit.studies.compression.low_rank import rank_of, truncate
from qvlm_qiskit.studies.compression.options import CompressionOptions
from qvlm_qiskit.studies.compression.texts import texts, windows

WHOLE, TENSORS, LOW_RANK = "whole", "matrix product", "low rank"
MEASURED = 8
"""Windows of one forward pass."""


@dataclass(frozen=True)
class Cell:
    """One model.

    Attributes:
        method: "whole", "matrix product" or "low rank".
        bond: Of the matrix product; low rank has as many parameters. 0 for the whole model.
        seed: Of the order of the text in healing.
    """

    method: str
    bond: int
    seed: int


def all_cells(options: CompressionOptions) -> list[Cell]:
    """The whole model, and both ways for every bond dimension, for each seed."""
    ways = [(WHOLE, 0), *((way, bond) for bond in options.bonds for way in (TENSORS, LOW_RANK))]
    return [Cell(way, bond, seed) for way, bond in ways for seed in range(options.seeds or 0)]


def compute(cell: Cell, options: CompressionOptions, folder: Path) -> dict[str, Any]:
    """Parameters, errors and losses of a model, as plain data."""
    model, encode = open_language(options, folder)
    model.requires_grad_(False)
    before = sum(one.numel() for one in model.parameters())
    error = _replaced(model, cell, options)
    for layer in _layers(model, options):
        layer.requires_grad_(True)
    to_train, held_out = (windows(t, encode, options.length or 0) for t in texts(options.text))
    held_out = held_out[: options.windows]

    def measured() -> float:
        with torch.no_grad():
            parts = torch.split(held_out, MEASURED)
            found = [float(loss_of(model, part)) * len(part) for part in parts]
        return sum(found) / len(held_out)

    steps = sorted(options.healing)
    losses = train(
        model, to_train, steps, batch=options.batch, rate=options.learning_rate, seed=cell.seed,
        at=measured,
    )  # fmt: skip
    after = sum(one.numel() for one in model.parameters())
    return {
        "method": cell.method,
        "bond": cell.bond,
        "seed": cell.seed,
        "before": before,
        "after": after,
        "share": after / before,
        "layer_share": _share(model, options, after, before),
        "error": error,
        "losses": {str(step): loss for step, loss in zip(steps, losses, strict=True)},
        "windows": len(held_out),
    }


def _share(model: nn.Module, options: CompressionOptions, after: int, before: int) -> float:
    """Parameters of the compressed layers, as a share of what they had."""
    now = sum(p.numel() for layer in _layers(model, options) for p in layer.parameters())
    return now / (before - after + now)


def _names(model: nn.Module, options: CompressionOptions) -> list[str]:
    ends = tuple(f".{target}" for target in options.targets)
    named = (name for name, _ in model.named_modules())
    return [name for name in named if f".{name}".endswith(ends)]


def _layers(model: nn.Module, options: CompressionOptions) -> list[nn.Module]:
    return [model.get_submodule(name) for name in _names(model, options)]


def _replaced(model: nn.Module, cell: Cell, options: CompressionOptions) -> float:
    """Compress, and return the mean relative error of the layers."""
    if cell.method == WHOLE:
        return 0.0
    if cell.method == TENSORS:
        return float(np.mean([one.error for one in _compressed(model, cell, options)]))
    # the sizes of the matrix product are known only from making it
    other = copy.deepcopy(model)
    found = _compressed(other, cell, options)
    ranks = {}
    for one in found:
        layer: Any = model.get_submodule(one.name)
        bias = 0 if layer.bias is None else layer.bias.numel()
        ranks[one.name] = rank_of(one.after - bias, layer)
    return float(np.mean(list(truncate(model, ranks).values())))


def _compressed(model: nn.Module, cell: Cell, options: CompressionOptions) -> Any:
    return compress(model, options.targets, cell.bond, options.cores)
