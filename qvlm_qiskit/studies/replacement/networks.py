"""The replacement ladder of Wang et al. (arXiv:2409.17583), and the controls that it lacks.

Two convolutions of 3 × 3 pixels and a linear layer; the source's have no activation between them,
so that its classical network is a linear map of the picture. Level 1 replaces the convolutions,
level 2 the linear layer too. The controls here: the same with ReLU; kernels A Aᵀ of rank two, the
functions that a flipped quanvolution is made of; twins of exactly as many trained numbers; and
random circuits that are not trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from qvlm_qiskit.blocks.zoo import SizedCore, build
from qvlm_qiskit.blocks.zoo.flipped_quanvolution import Convolution, FlippedQuanvolutionConfig
from qvlm_qiskit.errors import InputError

PLAIN, POSITIVE = "plain", "positive"
MOST_FEATURES = 4**7
"""A re-uploading layer takes no more."""


@dataclass(frozen=True)
class Parts:
    """What a network consists of.

    Attributes:
        convolutions: plain, positive, or the kind of a flipped quanvolution.
        linear: plain, or the kind of a re-uploading layer.
        relu: Whether ReLU follows each convolution.
    """

    convolutions: str
    linear: str = PLAIN
    relu: bool = False


LADDER: Mapping[str, Parts] = {
    "linear": Parts(PLAIN),
    "relu": Parts(PLAIN, relu=True),
    "positive": Parts(POSITIVE),
    "quanvolution": Parts("quantum"),
    "quanvolution-twin": Parts("classical"),
    "quanvolution-relu": Parts("quantum", relu=True),
    "quantum": Parts("quantum", "quantum"),
    "quantum-twin": Parts("classical", "classical"),
    "frozen": Parts("frozen", "frozen"),
}
"""Variant → what it consists of; the source's levels are linear, quanvolution and quantum."""


class PositiveConvolution(Convolution):
    """A convolution whose kernels are A Aᵀ, A being 3 × 2: symmetric, positive, of rank two."""

    def __init__(self, config: FlippedQuanvolutionConfig) -> None:
        """Create the kernels."""
        super().__init__(config)
        self.factor = nn.Parameter(torch.empty(config.kernels, config.channels, 3, 2))
        self.reset_parameters()

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Of a trace of about one, as the states' kernels."""
        super().reset_parameters(init)
        init.normal_(self.factor, std=0.4)

    def kernels(self) -> Tensor:
        """A Aᵀ."""
        return self.factor @ self.factor.mT


class Network(nn.Module):
    """Pictures ``(B, 1, s, s)`` from 0 to 1 → logits ``(B, classes)``."""

    def __init__(
        self, parts: Parts, side: int, channels: int, classes: int, repetitions: int
    ) -> None:
        """Create the layers.

        Raises:
            InputError: More features than a re-uploading layer takes, or more classes.
        """
        super().__init__()
        half = channels // 2
        self.first = convolution(parts.convolutions, 1, channels, side)
        self.second = convolution(parts.convolutions, channels, half, side - 2)
        self.between = nn.ReLU() if parts.relu else nn.Identity()
        features = half * (side - 4) ** 2
        self.last: nn.Module = nn.Linear(features, classes)
        if parts.linear != PLAIN:
            self.last = reuploading(parts.linear, features, classes, repetitions)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pixels from -1 to 1, two convolutions, one layer."""
        maps = self.between(self.first(2 * pictures - 1))
        logits: Tensor = self.last(self.between(self.second(maps)).flatten(1))
        return logits

    @property
    def parameters_trained(self) -> int:
        """How many numbers are trained."""
        return sum(one.numel() for one in self.parameters() if one.requires_grad)


def convolution(kind: str, channels: int, kernels: int, side: int) -> nn.Module:
    """3 × 3 pixels without a margin.

    Args:
        kind: plain, positive, or the kind of a flipped quanvolution.
        channels: That come in.
        kernels: Channels that come out.
        side: Of the maps that come in.
    """
    if kind == PLAIN:
        return nn.Conv2d(channels, kernels, 3)
    if kind == POSITIVE:
        config = FlippedQuanvolutionConfig(channels=channels, kernels=kernels, side=side)
        return PositiveConvolution(config)
    return build("flipped-quanvolution", kind=kind, channels=channels, kernels=kernels, side=side)


def reuploading(kind: str, features: int, classes: int, repetitions: int) -> SizedCore:
    """The layer in place of the linear one.

    Raises:
        InputError: More features than it takes.
    """
    if features > MOST_FEATURES:
        raise InputError(
            f"a re-uploading layer takes at most {MOST_FEATURES} features, and here are {features}:"
            " take fewer channels or smaller pictures"
        )
    return build(
        "reuploading-linear", kind=kind, inputs=features, outputs=classes, repetitions=repetitions
    )
