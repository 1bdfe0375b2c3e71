"""What a block is: a module that says where in a model it stands and what its circuits are asked.

Whoever buys or counts circuit rows learns it from the block: nothing outside of this package knows
a block by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from qvlm_qiskit.basics.same_row import GRID
from qvlm_qiskit.blocks.cores.angles import UploadedAngles
from qvlm_qiskit.quantum import QuantumLayer, quantum_layers


@dataclass(frozen=True)
class Place:
    """Where in a model a block stands.

    Attributes:
        name: Key of a model configuration's ``blocks``.
        takes: What the block's ``forward`` is given there, and returns the first of.
        every_token: Whether its circuits are asked again for each token that is generated.
    """

    name: str
    takes: str
    every_token: bool


PLACES = {
    place.name: place
    for place in (
        Place("vision", "patch embeddings (B, P, width)", every_token=False),
        Place("text", "token embeddings (B, T, width), position ids (B, T)", every_token=True),
        Place("adapter", "features of pictures (B, width), and returns tokens", every_token=False),
    )
}
"""The places of :class:`~qvlm_qiskit.model.HybridVLM`, and that of an adapter between two
pretrained models. What a block returns for a token may depend on that one, and its position, alone,
and what it returns for a patch on all patches of its picture."""


class Block(nn.Module):
    """A module in a place of a model, made of a configuration and a width.

    Attributes:
        place: Key of :data:`PLACES`.
        places: All places where such a block can stand, if there are several; then `place` is the
            first, until :func:`.build_at` puts it at another.
        config_class: Its configuration, a frozen dataclass with a field ``kind``, one of
            ``BLOCK_KINDS``.
        rows_per_token: Circuit rows that one token or patch asks for.
        angle_grid: Radians to which angles are rounded where rows are bought.
        angle_maps: Linear maps inside the block whose values become angles; they are computed in
            double precision where rows are bought.
        circuits: The modules inside it that go from there to expectation values.
    """

    place: str
    places: ClassVar[tuple[str, ...]] = ()
    config_class: ClassVar[type[Any]]
    rows_per_token: int = 1
    angle_grid: ClassVar[float] = GRID
    angle_maps: tuple[str, ...] = ()
    circuits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Any, width: int) -> None:
        """Create the block.

        Args:
            config: Of `config_class`.
            width: Channels of what it is given and returns.
        """
        super().__init__()
        self.config = config
        self.width = width

    @classmethod
    def tokens_taken(cls, config: Any) -> int | None:
        """How many patches or tokens it is given at once; None where any number will do.

        Args:
            config: Of `config_class`.
        """
        return None

    @property
    def layers(self) -> dict[str, QuantumLayer]:
        """Its quantum layers by their names inside it; a classical twin has none."""
        return quantum_layers(self)

    def circuit_parameters(self) -> list[Tensor]:
        """What belongs to its circuits: their weights, scales and offsets of their angles."""
        uploads = [part for part in self.modules() if isinstance(part, UploadedAngles)]
        weights = [layer.weight for layer in self.layers.values()]
        return [*weights, *(own for part in uploads for own in part.parameters())]

    def freeze(self) -> None:
        """Take a frozen block's angles out of training (again, after loading weights)."""
        if self.config.kind == "frozen":
            for parameter in self.circuit_parameters():
                parameter.requires_grad_(False)

    def rounds(self, tokens: int) -> int:
        """How often a generation waits for its circuits.

        Args:
            tokens: Length of the answer, its end included.
        """
        return len(self.layers) * (tokens if PLACES[self.place].every_token else 1)


def places_of(block: type[Block]) -> tuple[str, ...]:
    """Where a block can stand."""
    return block.places or (block.place,)


def blocks_in(module: nn.Module) -> dict[str, Block]:
    """Every block of a module by its name in it."""
    return {n: m for n, m in module.named_modules() if isinstance(m, Block)}


def layers_outside(module: nn.Module) -> dict[str, QuantumLayer]:
    """A module's quantum layers that lie in no block, by their names in it."""
    inside = {one for block in blocks_in(module).values() for one in block.layers.values()}
    return {n: layer for n, layer in quantum_layers(module).items() if layer not in inside}
