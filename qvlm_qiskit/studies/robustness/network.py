"""A small convolutional network with a block of the zoo before its classes, or its twin."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import is_whole
from qvlm_qiskit.blocks.registry import configured, find_block, read_block
from qvlm_qiskit.blocks.zoo import SizedCore, find_core
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.models import Classifier, pixels
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.robustness.options import DEFAULT_SIDE, VARIANTS

LEAST_SIDE, MOST_SIDE = 4, 256


@dataclass(frozen=True)
class HybridOptions:
    """Of the network.

    Attributes:
        block: A model of the zoo.
        kind: quantum, classical (its twin), frozen, or none (nothing in its place).
        side: Of the pictures, in pixels, a multiple of four.
        channels: Of the first convolution; the second has twice as many.
    """

    block: str = "parallel-circuits(circuits=2,repetitions=8)"
    kind: str = "quantum"
    side: int = DEFAULT_SIDE
    channels: int = 8

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: Another kind.
            InputError: A side that can't be halved twice, or is out of range.
        """
        check_types(self)
        if self.kind not in VARIANTS:
            raise UnknownNameError("kind of a hybrid network", self.kind, VARIANTS)
        if not is_whole(self.side) or self.side % 4 or not LEAST_SIDE <= self.side <= MOST_SIDE:
            raise InputError(
                f"side must be a multiple of 4 from {LEAST_SIDE} to {MOST_SIDE}, got {self.side}"
            )


class Hybrid(Classifier):
    """Grey pictures → two convolutions → features → block → classes.

    Models of one seed start from the same backbone and head, whatever stands between.
    """

    options_type = HybridOptions

    def __init__(self, options: HybridOptions, classes: Sequence[str]) -> None:
        """Backbone and head first, so that they don't depend on the block's draws."""
        super().__init__(options, classes)
        given, made = core_of(options.block, "quantum" if options.kind == "none" else options.kind)
        width, channels = given, options.channels
        self.backbone = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(2 * channels * (options.side // 4) ** 2, width),
        )  # fmt: skip
        without = options.kind == "none"
        self.head = nn.Linear(width if without else made.outputs, len(classes))
        self.core = None if without else made.build()

    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """``images`` ``(B, 1, side, side)``, grey from 0 to 1."""
        return {"images": pixels(samples, self.options.side).mean(1, keepdim=True)}

    def forward(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Logits of the classes; with labels their loss too."""
        features = self.backbone(images)
        if self.core is not None:
            unit = getattr(self.core, "unit_inputs", False)
            features = self.core(torch.sigmoid(features) if unit else features)
        return self.scored(self.head(features), labels)


@dataclass(frozen=True)
class Made:
    """A core that is yet to be built."""

    block: str
    kind: str
    outputs: int

    def build(self) -> SizedCore:
        """The core."""
        return find_core(read_block(self.block)[0]).made(_config(self.block, self.kind))


def core_of(block: str, kind: str) -> tuple[int, Made]:
    """How many features a block of the zoo takes, and what builds it.

    Raises:
        UnknownNameError: No such block.
        InputError: An option that it refuses, or a block of images or of tokens.
    """
    sizes = _config(block, kind).sizes
    if len(sizes.inputs) != 1 or len(sizes.outputs) != 1 or None in sizes.inputs:
        raise InputError(f"{block} takes {sizes.inputs}: a block of features is needed here")
    return int(sizes.inputs[0]), Made(block, kind, int(sizes.outputs[0]))


def _config(block: str, kind: str) -> Any:
    name, options = read_block(block)
    find_core(name)
    return dataclasses.replace(configured(name, find_block(name), options), kind=kind)
