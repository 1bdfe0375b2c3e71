"""Blocks by name: a dict and a decorator."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import nn

from qvlm_qiskit.errors import UnknownNameError

BLOCKS: dict[str, tuple[type[nn.Module], type[Any]]] = {}
"""Name → (block class, its config dataclass)."""

_Block = TypeVar("_Block", bound=type[nn.Module])


def register_block(name: str, config: type[Any]) -> Callable[[_Block], _Block]:
    """Class decorator that makes a block known by a name, with its config dataclass."""

    def register(block: _Block) -> _Block:
        BLOCKS[name] = (block, config)
        return block

    return register


def build_block(name: str, width: int, options: Mapping[str, Any]) -> nn.Module:
    """Build a block from plain options, as a model's configuration stores them.

    Args:
        name: A registered name.
        width: Channels of the block's input and output.
        options: Fields of its config dataclass.

    Raises:
        UnknownNameError: An unknown block or option.
    """
    if name not in BLOCKS:
        raise UnknownNameError("block", name, BLOCKS)
    block, config = BLOCKS[name]
    fields = [f.name for f in dataclasses.fields(config)]
    for option in options:
        if option not in fields:
            raise UnknownNameError(f"option of block {name}", option, fields)
    return block(config(**options), width)
