"""Cores of the zoo by name."""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.blocks.registry import configured, find_block
from qvlm_qiskit.blocks.zoo.block import CoreBlock
from qvlm_qiskit.blocks.zoo.core import Core, SizedCore
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.recipes import BLOCKS


def zoo_names() -> list[str]:
    """The names of this package's own cores; nothing is imported."""
    return [name for name, module in BLOCKS.own.items() if ".blocks.zoo." in module]


def find_core(name: str) -> type[Core]:
    """The core of a name.

    Raises:
        UnknownNameError: No block, or one that has no core of the zoo.
        RegistryError: It can't be imported.
    """
    block = find_block(name)
    if not issubclass(block, CoreBlock):
        raise UnknownNameError("block of the zoo", name, zoo_names())
    return block.core_class


def build(name: str, **options: Any) -> SizedCore:
    """A core as a torch module of its own.

        layer = build("qkan", inputs=10, outputs=4)
        layer(torch.randn(32, 10))  # (32, 4)

    Args:
        name: A registered name.
        options: Fields of its configuration; ``kind="classical"`` makes the twin.

    Raises:
        UnknownNameError: An unknown name or option.
        InputError: A value that the configuration refuses.
        RegistryError: It can't be imported.
    """
    core = find_core(name)
    return core.made(configured(name, find_block(name), options))
