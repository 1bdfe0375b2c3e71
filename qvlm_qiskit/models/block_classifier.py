"""A small classifier around any block: patches or words, the block, one hidden layer.

What stands around the block is as small as it can be, so that the block makes a difference: with
``residual=no`` the head sees nothing but what has gone through it. All blocks stand at the same
place, behind the linear map of the patches of a picture, or the embeddings of the words of a
question, and their positions: blocks of features and of images take each patch or word by itself,
blocks of tokens all of them as a sequence; patches row by row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import use_plain_numbers
from qvlm_qiskit.blocks.block import Block, places_of
from qvlm_qiskit.blocks.gate import GatedResidual
from qvlm_qiskit.blocks.registry import build_block, find_block, read_block
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.models.asked_classifier import AskedClassifier
from qvlm_qiskit.models.registry import register_model
from qvlm_qiskit.models.sizes import check_sizes
from qvlm_qiskit.models.word_tokens import WordTokens
from qvlm_qiskit.recipes import KINDS_OF_BLOCKS, check_reading

INSTEAD = ("linear", "sines")
"""Kinds that put something plain between the block's own two linear maps."""
KINDS = (*KINDS_OF_BLOCKS, *INSTEAD)
"""Those of a block, none at all, and these."""
PLACES = ("vision", "text")
OF_READING = {"picture": ("side", "grid"), "question": ("tokens",)}
"""Options that are about one of what may be read alone."""
OPEN = 40.0
"""Logit of a gate of one."""


@dataclass(frozen=True)
class BlockClassifierOptions:
    """What stands in the parentheses of ``block-classifier(…)``.

    Attributes:
        block: Name of a block, or one with options, "qkan(inputs=8)"; of one that reads tokens and
            says no number of them they are as many as there are patches or words.
        kind: quantum, classical (its twin), frozen (a random circuit), linear (a linear map in the
            place of the circuit), sines (one of the sines and cosines of what it would be given) or
            none (nothing in the place of the block).
        residual: Whether the block's gate blends what it was given with what it makes, as in a
            `HybridVLM`; else the head sees what the block makes alone.
        side: Of the pictures that it looks at, in pixels.
        grid: Patches of a side.
        width: Channels of a patch or word.
        hidden: Units of the head's hidden layer.
        reads: picture (its patches; the head sees the question's words besides), or question (its
            words in their order, and nothing else).
        tokens: Words of a question, which is cut or padded to so many.
    """

    block: str = "qcnn(num_qubits=4)"
    kind: str = "quantum"
    residual: bool = False
    side: int = 16
    grid: int = 2
    width: int = 16
    hidden: int = 32
    reads: str = "picture"
    tokens: int = 8

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: An unknown kind, block or option of it.
            InputError: A number out of range, patches that don't fill the picture, an option of
                what is not read, a block of another number of tokens, or one that can't stand here.
        """
        use_plain_numbers(self)
        if self.kind not in KINDS:
            raise UnknownNameError("kind of block", str(self.kind), KINDS)
        check_reading(self, OF_READING)
        check_sizes(self, ("side", "grid", "width", "hidden", "tokens"))
        if self.side % self.grid:
            raise InputError(f"side={self.side} is no multiple of grid={self.grid}")
        self.said()

    @property
    def length(self) -> int:
        """Patches of a picture, or words of a question."""
        return self.grid**2 if self.reads == "picture" else self.tokens

    def said(self) -> tuple[str, dict[str, Any]]:
        """The block's name and its options, with the number of tokens where it reads some."""
        name, options = read_block(self.block)
        found = find_block(name)
        if "kind" in options:
            raise InputError(f"the kind of a block is said beside it, not in {self.block!r}")
        if not set(places_of(found)) & set(PLACES):
            raise InputError(f"block {name!r} stands at {found.place!r}, not behind patches")
        if of_tokens(name):
            tokens = options.setdefault("tokens", self.length)
            if tokens != self.length:
                raise InputError(f"block {name!r} reads tokens={tokens}, and {self._has()}")
        return name, options

    def _has(self) -> str:
        if self.reads == "picture":
            return f"a picture has {self.length} patches (grid={self.grid})"
        return f"a question has {self.length} words here (tokens={self.tokens})"


def of_tokens(block: str) -> bool:
    """Whether a block reads a sequence: one that is told how many tokens there are.

    Args:
        block: Its name, perhaps with options.

    Raises:
        UnknownNameError: There is none.
    """
    found = find_block(read_block(block)[0])
    return "tokens" in {field.name for field in dataclasses.fields(found.config_class)}


@register_model("block-classifier")
class BlockClassifier(AskedClassifier):
    """Which training answer fits a picture and a question, by one block between small maps."""

    options_type = BlockClassifierOptions

    def __init__(
        self, options: BlockClassifierOptions, classes: Sequence[str], words: Sequence[str]
    ) -> None:
        """The maps before, the block, and the head.

        Raises:
            InputError: It is to read the question, and all training questions are the same.
        """
        super().__init__(options, classes, words)
        self.embed = _embedding(options, words)
        self.positions = nn.Parameter(0.1 * torch.randn(options.length, options.width))
        self.block = _block(options)
        besides = len(words) if options.reads == "picture" else 0
        self.head = nn.Sequential(
            nn.Linear(options.length * options.width + besides, options.hidden),
            nn.ReLU(),
            nn.Linear(options.hidden, len(classes)),
        )

    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """``images`` and ``words`` as `forward` takes them; of the question ``words`` alone."""
        if isinstance(self.embed, WordTokens):
            return {"words": self.embed.numbers([one.question for one in samples])}
        return super().inputs(samples)

    def forward(
        self, words: Tensor, images: Tensor | None = None, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Logits of the classes; with labels their loss too.

        Args:
            words: ``(B, words)``, 0 or 1; where the question is read, ``(B, tokens)`` numbers.
            images: ``(B, 3, side, side)``, 0 to 1; none where the question is read.
            labels: ``(B,)`` indices of classes.
        """
        if images is None:
            return self.scored(self.head(self.made(self.embed(words))), labels)
        made = self.made(self.embed(patches_of(images, self.options.grid)))
        return self.scored(self.head(torch.cat([made, words], dim=1)), labels)

    def made(self, embedded: Tensor) -> Tensor:
        """What the block makes, ``(B, length, width)`` → ``(B, length·width)``.

        Args:
            embedded: Patches or words without their positions.
        """
        placed = embedded + self.positions
        if getattr(self.block, "place", "") == "text":
            ids = torch.arange(self.options.length, device=placed.device)[None]
            return cast(Tensor, self.block(placed, ids)).flatten(1)
        return cast(Tensor, self.block(placed)).flatten(1)


class LinearInstead(nn.Module):
    """A block's two linear maps, with a third one in the place of its circuit.

    The maps are of the sizes that the circuit has: of a block of tokens from all of them to all.
    Rotations make sines and cosines of what they are given; with ``sines`` the third map is given
    these, so that what a circuit is worth beyond them can be seen.
    """

    def __init__(self, block: Block, length: int, *, sines: bool = False) -> None:
        """Take the block's own maps.

        Args:
            block: Of any kind; it is not to be used afterwards.
            length: How many patches or words there are.
            sines: Whether the map between is one of sines and cosines of the features.
        """
        super().__init__()
        self.sines = sines
        parts: Any = block
        self.reduce: nn.Linear = parts.reduce
        self.expand: nn.Linear = parts.expand
        self.tokens = bool(getattr(block, "tokens", False))
        given = parts.config.sizes.outputs[0] or length if self.tokens else 1
        taken = length if self.tokens else 1
        features, values = self.reduce.out_features, self.expand.in_features
        self.between = nn.Linear((1 + sines) * taken * features, given * values)

    def forward(self, embeddings: Tensor) -> Tensor:
        """``(B, P, width)`` → the same shape."""
        features = self.reduce(embeddings)
        if self.sines:
            features = torch.cat([features.sin(), features.cos()], dim=-1)
        if not self.tokens:
            made: Tensor = self.expand(self.between(features))
            return made
        values = self.between(features.flatten(-2))
        made = self.expand(values.reshape(len(values), -1, self.expand.in_features))
        return made.expand_as(embeddings)


def patches_of(images: Tensor, grid: int) -> Tensor:
    """``(B, C, side, side)`` → ``(B, grid², C·(side/grid)²)``, row by row."""
    batch, channels, side, _ = images.shape
    cut = images.reshape(batch, channels, grid, side // grid, grid, side // grid)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def _embedding(options: BlockClassifierOptions, words: Sequence[str]) -> nn.Module:
    if options.reads == "question":
        return WordTokens(words, options.tokens, options.width)
    return nn.Linear(3 * (options.side // options.grid) ** 2, options.width)


def _block(options: BlockClassifierOptions) -> nn.Module:
    if options.kind == "none":
        return nn.Identity()
    name, said = options.said()
    kind = "classical" if options.kind in INSTEAD else options.kind
    block = build_block(name, options.width, {**said, "kind": kind})
    if options.kind in INSTEAD:
        plain = LinearInstead(block, options.length, sines=options.kind == "sines")
        return Blended(plain, options.width) if options.residual else plain
    if not options.residual:
        open_gates(block)
    return block


class Blended(nn.Module):
    """A module beside a gated residual."""

    def __init__(self, module: nn.Module, width: int) -> None:
        """Create the gate."""
        super().__init__()
        self.module, self.gate = module, GatedResidual("scalar", width)

    def forward(self, embeddings: Tensor) -> Tensor:
        """γ·module(x) + (1-γ)·norm(x)."""
        blended: Tensor = self.gate(self.module(embeddings), embeddings)
        return blended


def open_gates(block: nn.Module) -> None:
    """Let nothing past a block: its gates are one, and are not trained."""
    for module in block.modules():
        if isinstance(module, GatedResidual):
            nn.init.constant_(module.logit, OPEN)
            module.logit.requires_grad_(False)
