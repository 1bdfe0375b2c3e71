"""Pictures as they are in place of a vision tower: grey levels that become amplitudes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

NAME = "pixels"
"""What stands for it among names of towers."""


class PixelTower:
    """What :class:`~qvlm_qiskit.adapter.towers.VisionTower` is, without weights.

    Attributes:
        width: :math:`2^n` grey levels of a picture, or of each of its regions.
        digest: Tells how pictures are seen.
    """

    def __init__(self, num_qubits: int, grid: int | None = None) -> None:
        """See as many grey levels as qubits have amplitudes.

        Args:
            num_qubits: n.
            grid: Regions of a picture along each side; None where it is one vector.
        """
        self.width, self.grid = 2**num_qubits, grid
        self._rows = 2 ** (num_qubits // 2)
        self.digest = hashlib.sha256(f"{NAME} {num_qubits} {grid}".encode()).hexdigest()

    def features(self, images: Sequence[Image.Image]) -> Tensor:
        """Grey levels of pictures that are scaled to :math:`2^{⌊n/2⌋}` rows of pixels.

        A picture, or a region of it, of zeros alone has no direction, so no amplitudes. It enters
        as a uniform one, as every other picture of one grey level does, however dark.

        Args:
            images: Of any size and mode.

        Returns:
            ``(B, width)``, row by row, or ``(B, grid * grid, width)``, from 0 to 1.
        """
        cells, rows, columns = self.grid or 1, self._rows, self.width // self._rows
        size = (cells * columns, cells * rows)
        grey = [image.convert("RGB").convert("L") for image in images]
        scaled = [np.asarray(one.resize(size, Image.Resampling.BILINEAR)) for one in grey]
        levels = torch.from_numpy(np.stack(scaled) if scaled else np.zeros((0, *size[::-1])))
        parts = levels.float().div(255).reshape(-1, cells, rows, cells, columns)
        flat = parts.transpose(2, 3).reshape(-1, cells * cells, self.width)
        seen = torch.where((flat == 0).all(-1, keepdim=True), torch.ones_like(flat), flat)
        return seen[:, 0] if self.grid is None else seen
