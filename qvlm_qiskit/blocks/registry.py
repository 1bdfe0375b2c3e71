"""Blocks by name: the files of this folder, and those that other distributions add.

A block is a :class:`~qvlm_qiskit.blocks.Block`. Another distribution's is found by its entry point
of the group ``qvlm_qiskit.blocks``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from qvlm_qiskit.basics.option_texts import read_values
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.blocks.block import PLACES, Block, places_of
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import BLOCKS, read_block_name

_Block = TypeVar("_Block", bound=type[Block])


def register_block(name: str) -> Callable[[_Block], _Block]:
    """Class decorator that makes a block known by a name: that of its file."""

    def register(block: _Block) -> _Block:
        BLOCKS.enter(name, block)
        return block

    return register


def find_block(name: str) -> type[Block]:
    """The class of a block.

    Raises:
        UnknownNameError: There is none; the message has the nearest.
        RegistryError: It can't be imported, or is no block that says its place and configuration.
    """
    found = BLOCKS.load(name)
    if not (isinstance(found, type) and issubclass(found, Block)):
        raise RegistryError(f"the entry point {name!r} leads to no block: make it a Block")
    if getattr(found, "place", None) not in PLACES:
        raise RegistryError(f"block {name!r} must say its place, one of {', '.join(PLACES)}")
    if "kind" not in options_of(found):
        raise RegistryError(f"block {name!r} must have a config_class with a field 'kind'")
    return found


def options_of(block: type[Block]) -> list[str]:
    """The fields of a block's configuration."""
    config = getattr(block, "config_class", None)
    return [f.name for f in dataclasses.fields(config)] if dataclasses.is_dataclass(config) else []


def build_block(name: str, width: int, options: Mapping[str, Any]) -> Block:
    """Build a block from plain options, as a model's configuration stores them.

    Args:
        name: A registered name.
        width: Channels of the block's input and output.
        options: Fields of its config dataclass.

    Raises:
        UnknownNameError: An unknown block or option.
        InputError: A value that the block's configuration refuses.
        RegistryError: The block can't be imported.
    """
    block = find_block(name)
    built = block(configured(name, block, options), width)
    built.freeze()
    return built


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options with which a block can't be built.

    Args:
        name: A registered name.
        options: Fields of its config dataclass; the others have their defaults.

    Raises:
        UnknownNameError: An unknown block or option.
        InputError: A value that the block's configuration refuses.
        RegistryError: The block can't be imported.
    """
    configured(name, find_block(name), options)


def check_tokens(name: str, options: Mapping[str, Any], patches: int) -> None:
    """Refuse a block that mixes another number of patches than a picture has.

    Args:
        name: A registered name.
        options: Fields of its config dataclass.
        patches: Of a picture.

    Raises:
        UnknownNameError: An unknown block or option.
        InputError: Its sequences have another length, or its configuration refuses a value.
        RegistryError: The block can't be imported.
    """
    block = find_block(name)
    taken = block.tokens_taken(configured(name, block, options))
    if taken not in (None, patches):
        raise InputError(
            f"block {name!r} takes {taken} tokens, and a picture here has {patches} patches: say "
            f"{name}(tokens={patches}), or choose another image size"
        )


def configured(name: str, block: type[Block], options: Mapping[str, Any]) -> Any:
    """A block's configuration.

    Raises:
        UnknownNameError: An unknown option.
        InputError: A value that is refused, or one that is missing.
    """
    known = options_of(block)
    for option in options:
        if option not in known:
            raise UnknownNameError(f"option of block {name}", option, known)
    try:
        return block.config_class(**options)
    except (TypeError, ValueError) as error:
        if isinstance(error, UnknownNameError):
            raise
        raise InputError(f"block {name}: {error}") from error


def read_block(text: str) -> tuple[str, dict[str, Any]]:
    """A block as a user writes it, ``NAME`` or ``NAME(option=value,…)``, and its typed options.

    Args:
        text: Such as "qcnn(encoding=mps,pooling=1)".

    Raises:
        InputError: Another form, or a value of another type than the option's.
        UnknownNameError: An unknown block or option.
        RegistryError: The block can't be imported.
    """
    placed = read_block_name(text)
    config = find_block(placed.name).config_class
    return placed.name, read_values(config, placed.options, f"block {placed.name}")


def build_at(place: str, width: int, options: Mapping[str, Any]) -> Block:
    """Build the block of a place from a model configuration's entry for it.

    Args:
        place: Key of :data:`PLACES`.
        width: Channels of the block's input and output.
        options: ``"name"``, and fields of that block's config dataclass.

    Raises:
        UnknownNameError: An unknown block or option.
        InputError: No name, or a block of another place.
    """
    name = options.get("name")
    if not isinstance(name, str):
        raise InputError(f"the {place} block of a model configuration needs a name, got {name!r}")
    check_place(name, place)
    block = build_block(name, width, {k: v for k, v in options.items() if k != "name"})
    block.place = place
    return block


def check_place(name: str, place: str) -> None:
    """Refuse a block at a place where it can't stand.

    Raises:
        UnknownNameError: An unknown block.
        InputError: It stands at others.
    """
    own = places_of(find_block(name))
    if place not in own:
        where = " or ".join(map(repr, own))
        raise InputError(f"block {name!r} stands at {where}, not at {place!r}")
