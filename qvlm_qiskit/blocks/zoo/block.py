"""A core of the zoo between two linear maps and beside a gated residual, as a block of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from qvlm_qiskit.blocks.block import Block
from qvlm_qiskit.blocks.circuit_block import NormalisedLinear
from qvlm_qiskit.blocks.gate import ExpectationReadout, GatedResidual
from qvlm_qiskit.blocks.registry import register_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig

_Core = TypeVar("_Core", bound=type[Core])


class CoreBlock(Block):
    """Linear(width → inputs), the core, Linear(outputs → width), gated residual.

    Cores of features and of images are given each patch or token by itself. A core of tokens is
    given all patches of a picture at once; text is generated token by token, so it stands in the
    vision tower alone.

    Attributes:
        core_class: The core.
    """

    core_class: ClassVar[type[Core]]
    angle_maps = ("reduce",)
    circuits = ("core",)

    def __init__(self, config: CoreConfig, width: int) -> None:
        """Create the block.

        Args:
            config: Of the core.
            width: Embedding width.
        """
        super().__init__(config, width)
        sizes = config.sizes
        self.tokens = len(sizes.inputs) == 2
        self.rows_per_token = sizes.rows
        self.reduce = NormalisedLinear(width, sizes.count(sizes.inputs))
        self.core = self.core_class.made(config)
        self.expand = ExpectationReadout(sizes.count(sizes.outputs), width)
        self.gate = GatedResidual(config.gate, width, config.initial_gate)

    @classmethod
    def tokens_taken(cls, config: CoreConfig) -> int | None:
        """The length of a core's sequences; None for one of features or of images."""
        inputs = config.sizes.inputs
        return inputs[0] if len(inputs) == 2 else None

    def circuit_parameters(self) -> list[Tensor]:
        """What belongs to its circuits."""
        return self.core.circuit_parameters()

    def forward(self, embeddings: Tensor, position_ids: Tensor | None = None) -> Tensor:
        """γ·q + (1-γ)·norm(embeddings), see :class:`.GatedResidual`.

        Args:
            embeddings: Patches or tokens ``(B, T, width)``.
            position_ids: Of tokens; they make no difference.

        Returns:
            ``(B, T, width)``.
        """
        reduced = self.reduce(embeddings)
        if not self.tokens:
            reduced = reduced.unflatten(-1, self.config.sizes.inputs)
        values = self.core(torch.sigmoid(reduced) if self.core_class.unit_inputs else reduced)
        if not self.tokens:
            values = values.flatten(embeddings.dim() - 1)
        blended: Tensor = self.gate(self.expand(values), embeddings)
        return blended


def zoo_block(name: str) -> Callable[[_Core], _Core]:
    """Class decorator that makes a core, and the block around it, known by the name of its file."""

    def register(core: _Core) -> _Core:
        of_tokens = len(core.config_class().sizes.inputs) == 2
        facts = {
            "__doc__": core.__doc__,
            "__module__": core.__module__,
            "core_class": core,
            "config_class": core.config_class,
            "place": "vision",
            "places": ("vision",) if of_tokens else ("vision", "text"),
        }
        register_block(name)(type(f"{core.__name__}Block", (CoreBlock,), facts))
        return core

    return register
