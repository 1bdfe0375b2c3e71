r"""A denoising autoencoder of convolutions around any latent space, QCAE (arXiv:2401.06367).

Two convolutions and a linear map make n features of a picture, the latent space makes n values of
them, a linear map and two transposed convolutions make a picture of those. The latent space is any
module of n features: `build("qaoa-latent")`, its twin, or :class:`Sines`, which has no number of
its own and the same range.

What of the source is not copied: a denoising error that stands alone. That of the noisy pictures
themselves, and of linear filters, belong beside it; ``qvlm study denoise`` has them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import is_whole
from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.errors import InputError

STRIDES = 4
"""Pixels along each side that become one: a picture's side is a multiple of them."""


class Sines(nn.Module):
    r"""Sines of the angles that a circuit would be given, without a trained number."""

    def __init__(self) -> None:
        """Create the bound."""
        super().__init__()
        self.angles = BoundedAngles()

    def forward(self, features: Tensor) -> Tensor:
        """``(…, n)`` → ``(…, n)`` from -1 to 1."""
        return torch.sin(self.angles(features))


class DenoisingAutoencoder(nn.Module):
    """Pictures ``(B, 1, s, s)`` from 0 to 1 → pictures of the same shape and range.

    Features are brought to zero mean and unit variance over a batch: without that, those of all
    pictures are nearly the same at the beginning, and it learns their mean picture and no more.
    """

    def __init__(
        self, latent: nn.Module, width: int = 8, side: int = 8, channels: tuple[int, int] = (8, 16)
    ) -> None:
        """Create encoder and decoder around a latent space.

        Args:
            latent: ``(B, width)`` → ``(B, width)``.
            width: n.
            side: s, a multiple of four.
            channels: Of the two convolutions.

        Raises:
            InputError: A side that is no multiple of four, or a width below one.
        """
        super().__init__()
        if not is_whole(side) or side < STRIDES or side % STRIDES:
            raise InputError(f"the side of pictures is a multiple of {STRIDES}, got {side!r}")
        if not is_whole(width) or width < 1:
            raise InputError(f"width is a whole number of at least 1, got {width!r}")
        few, many = channels
        shape = (many, side // STRIDES, side // STRIDES)
        self.side = side
        self.encoder = nn.Sequential(
            nn.Conv2d(1, few, 3, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(few, many, 3, stride=2, padding=1), nn.GELU(),
            nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], width),
            nn.BatchNorm1d(width, affine=False),
        )  # fmt: skip
        self.latent = latent
        self.decoder = nn.Sequential(
            nn.Linear(width, shape[0] * shape[1] * shape[2]), nn.GELU(), nn.Unflatten(1, shape),
            nn.ConvTranspose2d(many, few, 4, stride=2, padding=1), nn.GELU(),
            nn.ConvTranspose2d(few, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        """Cleaned pictures.

        Args:
            pictures: ``(B, 1, s, s)``, of a float dtype.

        Raises:
            InputError: Pictures of another shape, or a single one while it trains.
        """
        if pictures.dim() != 4 or tuple(pictures.shape[1:]) != (1, self.side, self.side):
            raise InputError(
                f"expected pictures (B, 1, {self.side}, {self.side}), got {tuple(pictures.shape)}"
            )
        if self.training and len(pictures) < 2:
            raise InputError("a batch to train on needs at least 2 pictures: its mean is taken off")
        cleaned: Tensor = self.decoder(self.latent(self.encoder(pictures)))
        return cleaned
