"""Pretrained vision towers: any model of transformers that sees pictures, frozen, as features."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from transformers import AutoConfig, AutoImageProcessor, AutoModel

from qvlm_qiskit.adapter.pretrained import opened
from qvlm_qiskit.basics.files import write_bytes
from qvlm_qiskit.errors import InputError, UnknownNameError

POOLS = ("auto", "cls", "pooled", "mean")
"""How a tower's tokens become one vector: of a kind that fits the tower, the class token before the
last norm, the tower's own pooled output, or the mean of all."""
_WITHOUT_CLASS_TOKEN = ("siglip", "siglip_vision_model", "siglip2_vision_model")
AT_ONCE = 32
"""Pictures of one forward pass."""


class VisionTower:
    """A frozen tower and its image processor.

    Attributes:
        name: Folder or Hub name that it was opened by.
        pool: One of :data:`POOLS`, not "auto", or "regions".
        grid: Regions of a picture along each side; None where it is one vector.
        width: Features of a picture, or of each of its regions.
    """

    def __init__(
        self, name: str, pool: str = "auto", cache: Path | None = None, grid: int | None = None
    ) -> None:
        """Open a tower; of a checkpoint that holds a text side too, the vision half alone.

        Args:
            name: Folder or Hub name.
            pool: One of :data:`POOLS`.
            cache: A folder that keeps features by tower, processor and picture.
            grid: Means over ``grid * grid`` regions instead of one vector.

        Raises:
            UnknownNameError: Another way to pool.
            InputError: It can't be opened, sees no pictures, or has no such output.
        """
        if pool not in POOLS:
            raise UnknownNameError("pooling of a vision tower", pool, POOLS)
        if grid is not None and pool != "auto":
            raise InputError(f"pool={pool} is one vector of a picture: attention sees regions")
        self.name, self.cache, self.grid = name, cache, grid
        self.processor = opened(name, "image processor", AutoImageProcessor)
        self.module = _module(name)
        self.pool = _pool(self.module, pool) if grid is None else "regions"
        self._shape = tuple(self._features(self._pixels([_blank()])).shape[1:])
        self.width = int(self._shape[-1])

    def features(self, images: Sequence[Image.Image]) -> Tensor:
        """Features of pictures in single precision, without gradients.

        Args:
            images: Of any size and mode.

        Returns:
            ``(B, width)``, or ``(B, grid * grid, width)``, row by row of the picture.
        """
        if self.cache is None:
            return self._all(images)
        names = [self._key(image) for image in images]
        files = [self.cache / f"{name}.features" for name in names]
        missing = [i for i, file in enumerate(files) if not file.is_file()]
        made = self._all([images[i] for i in missing])
        found = dict(zip(missing, made, strict=True))
        for i, row in found.items():
            _keep(files[i], row)
        rows = [
            found[i] if i in found else _kept(file, self._shape) for i, file in enumerate(files)
        ]
        return torch.stack(rows)

    @property
    def digest(self) -> str:
        """Names the tower's weights and how pictures enter it."""
        if not hasattr(self, "_digest"):
            regions = "" if self.grid is None else f" {self.grid}"
            found = hashlib.sha256(f"{self.pool}{regions}".encode())
            found.update(json.dumps(self.processor.to_dict(), sort_keys=True, default=str).encode())
            for name, tensor in sorted(self.module.state_dict().items()):
                found.update(name.encode())
                found.update(tensor.contiguous().view(torch.uint8).numpy().data)
            self._digest = found.hexdigest()
        return self._digest

    def _key(self, image: Image.Image) -> str:
        found = hashlib.sha256(self.digest.encode())
        found.update(f"{image.mode} {image.size}".encode())
        found.update(image.tobytes())
        return found.hexdigest()

    def _all(self, images: Sequence[Image.Image]) -> Tensor:
        parts = [
            self._features(self._pixels(images[start : start + AT_ONCE]))
            for start in range(0, len(images), AT_ONCE)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, *self._shape)

    def _pixels(self, images: Sequence[Image.Image]) -> Tensor:
        coloured = [image.convert("RGB") for image in images]
        pixels: Tensor = self.processor(images=coloured, return_tensors="pt")["pixel_values"]
        return pixels

    @torch.no_grad()
    def _features(self, pixels: Tensor) -> Tensor:
        weight = next(self.module.parameters())
        output = self.module(pixel_values=pixels.to(weight.device, weight.dtype))
        if self.grid is None:
            return _pooled(output, self.pool, self.name).float().cpu()
        hidden = output.last_hidden_state.float().cpu()
        return _regions(_map(hidden, pixels, self.module.config, self.name), self.grid, self.name)


def _module(name: str) -> nn.Module:
    config = opened(name, "configuration", AutoConfig)
    config = getattr(config, "vision_config", config)
    if not hasattr(config, "hidden_size") and not hasattr(config, "hidden_sizes"):
        raise InputError(f"{name} is no vision tower: its configuration has no hidden_size")
    # a classifier's checkpoint has no pooler, and would get a random one
    more = {"add_pooling_layer": False} if config.model_type == "vit" else {}
    module: nn.Module = opened(name, "vision tower", AutoModel, config=config, **more)
    return module.eval().requires_grad_(False)


def _pool(module: nn.Module, asked: str) -> str:
    """How features are pooled, checked on the tower."""
    config: Any = module.config
    kind = str(config.model_type)
    if asked == "cls" and kind in _WITHOUT_CLASS_TOKEN:
        raise InputError(f"a tower of type {kind} has no class token: pool by pooled or mean")
    if asked != "auto":
        return asked
    if kind in _WITHOUT_CLASS_TOKEN:
        return "pooled" if getattr(config, "vision_use_head", True) else "mean"
    names = [name for name, _ in module.named_parameters()]
    has_class = any("cls_token" in name or "class_embedding" in name for name in names)
    return "cls" if has_class else "mean"


def _pooled(output: Any, pool: str, name: str) -> Tensor:
    if pool == "pooled":
        found = getattr(output, "pooler_output", None)
        if found is None:
            raise InputError(f"{name} has no pooled output: pool by cls or mean")
        return torch.as_tensor(found).flatten(1)
    hidden: Tensor = output.last_hidden_state
    if hidden.dim() == 4:  # channels first, as networks of convolutions have them
        if pool == "cls":
            raise InputError(f"{name} has no class token: pool by pooled or mean")
        return hidden.mean((2, 3))
    return hidden[:, 0] if pool == "cls" else hidden.mean(1)


def _map(hidden: Tensor, pixels: Tensor, config: Any, name: str) -> Tensor:
    """A last layer as a map of the picture, ``(B, width, rows, columns)``."""
    if hidden.dim() == 4:
        return hidden
    tokens, size = hidden.shape[1], getattr(config, "patch_size", None)
    across = (size, size) if isinstance(size, int) else size
    rows = columns = math.isqrt(tokens)
    if across is not None and _patches(pixels, across)[2] <= tokens:
        rows, columns, _ = _patches(pixels, across)
    elif rows * columns != tokens:
        raise InputError(f"the {tokens} tokens of {name} are no map of a picture: no attention")
    # class and register tokens stand in front
    patches = hidden[:, tokens - rows * columns :]
    return patches.mT.reshape(len(hidden), -1, rows, columns)


def _patches(pixels: Tensor, across: Sequence[int]) -> tuple[int, int, int]:
    """Patches of pictures by rows and columns, and in all."""
    rows, columns = pixels.shape[-2] // across[0], pixels.shape[-1] // across[1]
    return rows, columns, rows * columns


def _regions(seen: Tensor, grid: int, name: str) -> Tensor:
    """Means over regions: ``(B, width, rows, columns)`` → ``(B, grid * grid, width)``."""
    if min(seen.shape[-2:]) < grid:
        raise InputError(
            f"{name} sees {seen.shape[-2]} × {seen.shape[-1]} patches of a picture, fewer than a "
            f"grid of {grid} × {grid}"
        )
    return adaptive_avg_pool2d(seen, grid).flatten(2).mT.contiguous()


def _blank() -> Image.Image:
    return Image.new("RGB", (32, 32))


def _keep(file: Path, row: Tensor) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, row.numpy().astype(np.float32).tobytes())


def _kept(file: Path, shape: Sequence[int]) -> Tensor:
    row = np.frombuffer(file.read_bytes(), dtype=np.float32)
    return torch.from_numpy(row.reshape(shape).copy())
