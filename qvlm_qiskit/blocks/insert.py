"""A block behind a module of any torch model, and its weights in files beside the model's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from qvlm_qiskit.basics.files import write_json
from qvlm_qiskit.blocks.block import PLACES, Block
from qvlm_qiskit.blocks.registry import build_block, read_block
from qvlm_qiskit.errors import InputError, UnknownNameError

RECORD, WEIGHTS = "quantum_blocks.json", "quantum_blocks.safetensors"
FORMAT = "qvlm-blocks"


class WithBlock(nn.Module):
    """A module and the block behind it; other attributes are the module's own.

    Attributes:
        module: What was there before.
        block: Gets what the module returns; of a tuple or a mapping, the first tensor.
        axis: Of the channels in that tensor.
    """

    def __init__(self, module: nn.Module, block: Block, name: str, axis: int) -> None:
        """Put a block behind a module.

        Args:
            module: Any.
            block: Takes ``(B, T, width)``.
            name: The block's registered name.
            axis: Of the channels in what the module returns.
        """
        super().__init__()
        self.module = module
        self.block = block
        self.name = name
        self.axis = axis

    def __getattr__(self, name: str) -> Any:
        """The module's attribute, where this one has none."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module returns, with the block's output in place of its first tensor."""
        found = self.module(*args, **kwargs)
        if isinstance(found, Tensor):
            return self._blended(found)
        if isinstance(found, Mapping):
            key = next((k for k, v in found.items() if isinstance(v, Tensor)), None)
            if key is not None:
                # a model output of transformers is a mapping that keeps its class
                return type(found)(**{**found, key: self._blended(found[key])})
        elif isinstance(found, tuple) and found and isinstance(found[0], Tensor):
            return (self._blended(found[0]), *found[1:])
        raise InputError(
            f"a block stands behind a tensor, and {type(self.module).__name__} returned "
            f"{type(found).__name__}"
        )

    def _blended(self, values: Tensor) -> Tensor:
        if values.ndim < 2 or values.shape[self.axis] != self.block.width:
            raise InputError(
                f"the block of width {self.block.width} was given a tensor of shape "
                f"{tuple(values.shape)} with channels in axis {self.axis}"
            )
        last = values.movedim(self.axis, -1)
        tokens = last.reshape(len(last), -1, last.shape[-1])
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        takes_positions = PLACES[self.block.place].every_token
        mixed: Tensor = self.block(tokens, *([positions] if takes_positions else []))
        return mixed.reshape(last.shape).movedim(-1, self.axis).to(values.dtype)


def insert_block(
    model: nn.Module, path: str, block: str, *, width: int, axis: int = -1, **options: Any
) -> Block:
    """Put a registered block behind a module of a torch model.

        net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Flatten(), nn.LazyLinear(10))
        insert_block(net, "0", "qcnn", width=16, axis=1, num_qubits=4)

    From then on the module returns γ·q + (1-γ)·norm(x) of what it returned before: every pixel of a
    feature map, token or row of features goes through the circuit. The block's parameters are
    part of the model; make the optimiser after it.

    Args:
        model: Any.
        path: The module's name in it, as in ``named_modules``.
        block: Registered name, or one with options, "qcnn(encoding=mps)".
        width: Channels of what the module returns.
        axis: Of the channels: 1 for feature maps ``(B, C, H, W)``.
        options: Of the block, such as ``num_qubits``, ``num_layers``, ``kind``.

    Returns:
        The block.

    Raises:
        UnknownNameError: No such module, block or option; the message has the nearest.
        InputError: The path is the model itself, a block stands there already, or an option has a
            value that the block does not take.
    """
    owner, name = _owner(model, path)
    module = owner.get_submodule(name)
    if isinstance(module, WithBlock):
        raise InputError(f"a block stands behind {path!r} already")
    known, said = read_block(block)
    built = build_block(known, width, {**said, **options})
    tensor = next(module.parameters(), None)
    tensor = next(model.parameters(), None) if tensor is None else tensor
    if tensor is not None and tensor.device.type != "meta":
        built.to(tensor.device)
    owner.add_module(name, WithBlock(module, built, known, axis))
    return built


def inserted_blocks(model: nn.Module) -> dict[str, WithBlock]:
    """Module path → the module with its block, for all that `insert_block` put there."""
    return {path: found for path, _, found in _modules(model) if isinstance(found, WithBlock)}


def save_blocks(model: nn.Module, folder: Path) -> None:
    """Write all inserted blocks beside a model's own files: what they are, and their weights.

    Args:
        model: With blocks.
        folder: Is made if it is not there.

    Raises:
        InputError: There are no blocks.
    """
    found = inserted_blocks(model)
    if not found:
        raise InputError("the model has no inserted blocks to save")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        f"{path}/{name}": tensor.detach().cpu().contiguous()
        for path, one in found.items()
        for name, tensor in one.block.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS)
    blocks = [_described(path, one) for path, one in found.items()]
    write_json(folder / RECORD, {"format": FORMAT, "version": 1, "blocks": blocks})


def load_blocks(model: nn.Module, folder: Path) -> dict[str, Block]:
    """Put the blocks that `save_blocks` wrote behind the same modules of a model.

    Args:
        model: As it was before blocks were inserted.
        folder: Of `save_blocks`.

    Returns:
        Module path → block.

    Raises:
        InputError: There are none in the folder, or they are damaged.
        UnknownNameError: The model has no such module, or a block is of a distribution that is not
            installed.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
        if record["format"] != FORMAT or record["version"] != 1:
            raise InputError(f"{folder / RECORD} is of another format or version")
        blocks = {one["path"]: dict(one) for one in record["blocks"]}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"no blocks can be loaded from {folder}: {error}") from error
    found = {}
    for path, about in blocks.items():
        block = insert_block(
            model, path, about["name"], width=about["width"], axis=about["axis"], **about["options"]
        )
        own = {n.partition("/")[2]: t for n, t in weights.items() if n.partition("/")[0] == path}
        try:
            block.load_state_dict(own)
        except RuntimeError as error:
            said = " ".join(str(error).split())
            raise InputError(f"the weights in {folder} are not {path!r}'s: {said}") from error
        found[path] = block
    return found


def _described(path: str, one: WithBlock) -> dict[str, Any]:
    config = one.block.config
    options = asdict(config) if is_dataclass(config) and not isinstance(config, type) else {}
    width = one.block.width
    return {"path": path, "name": one.name, "width": width, "axis": one.axis, "options": options}


def _owner(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module that holds a module, and its name there.

    Raises:
        UnknownNameError: There is none.
        InputError: It is the model itself.
    """
    if not path:
        raise InputError("a block stands behind a module inside the model, not behind all of it")
    known = {found: at for found, at, _ in _modules(model)}
    if path not in known:
        raise UnknownNameError("module", path, known)
    above, _, name = known[path].rpartition(".")
    return model.get_submodule(above), name


def _modules(
    module: nn.Module, path: str = "", at: str = ""
) -> Iterator[tuple[str, str, nn.Module]]:
    """(path in the model as it was, path in the model as it is, module) below a module."""
    for name, child in module.named_children():
        found, now = f"{path}.{name}".lstrip("."), f"{at}.{name}".lstrip(".")
        yield found, now, child
        if isinstance(child, WithBlock):
            child, now = child.module, f"{now}.module"
        yield from _modules(child, found, now)
