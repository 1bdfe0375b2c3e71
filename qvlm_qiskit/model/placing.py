"""Blocks in the places of a model: how they are added, named and initialised."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import initialization as init

from qvlm_qiskit.blocks import ExpectationReadout, GatedResidual, build_at
from qvlm_qiskit.blocks.cores.part import CorePart
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import QuantumLayer


def add_block(owner: nn.Module, place: str, width: int, options: dict[str, Any]) -> str:
    """Give a module the block of a place under the block's own name, which weights are stored by.

    Args:
        owner: Gets the block as a submodule.
        place: Key of ``PLACES``.
        width: Channels of what the block is given and returns.
        options: The configuration's entry for the place.

    Returns:
        The block's name in the owner.

    Raises:
        InputError: The owner has a part of that name.
    """
    block = build_at(place, width, options)
    name = str(options["name"]).replace("-", "_")
    if hasattr(owner, name):
        raise InputError(f"a {place} block can't be called {name!r}: the model has that part")
    owner.add_module(name, block)
    return name


def init_block(module: nn.Module) -> bool:
    """Initialise a part of a quantum block; False if the module is none."""
    if isinstance(module, ExpectationReadout):
        init.normal_(module.weight, mean=0.0, std=module.initial_std)
        init.zeros_(module.bias)
    elif isinstance(module, QuantumLayer):
        init.uniform_(module.weight, -1.0, 1.0)
    elif isinstance(module, CorePart):
        module.reset_parameters(init)
    elif isinstance(module, GatedResidual):
        init.constant_(module.logit, module.initial_logit)
    else:
        return False
    return True
