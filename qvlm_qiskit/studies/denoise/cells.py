"""The work of one process of a denoising study: train one autoencoder, or fit one filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from qvlm_qiskit.blocks.zoo import DenoisingAutoencoder, Sines, build
from qvlm_qiskit.studies.denoise.options import FILTERS, LATENTS, NOISY, DenoiseOptions
from qvlm_qiskit.studies.denoise.pictures import Pictures, open_pictures
from qvlm_qiskit.studies.denoise.similarity import similarity, squared_error
from qvlm_qiskit.studies.reports.pictures import data_uri

SHOWN = 8
"""Held-out pictures on the page."""
SIDE_SHOWN = 48
"""Pixels of a side there, about; larger pictures are as they are."""
Clean = Callable[[Pictures], Pictures]


@dataclass(frozen=True)
class Cell:
    """One way to clean pictures of one noise.

    Attributes:
        kind: Of ``KINDS``, or ``"noisy"`` for the pictures as they came.
        sigma: Standard deviation of the noise.
        seed: Of weights, noise and the division of the digits.
    """

    kind: str
    sigma: float
    seed: int


def all_cells(options: DenoiseOptions) -> list[Cell]:
    """Every kind, and the noisy pictures themselves, for each noise and seed."""
    return [
        Cell(kind, sigma, seed)
        for seed in range(options.seeds)
        for sigma in options.sigmas
        for kind in (NOISY, *options.kinds)
    ]


def compute_cell(cell: Cell, options: DenoiseOptions) -> dict[str, Any]:
    """Train or fit, and compare held-out pictures with what becomes of their noisy versions.

    Returns:
        The cell; ``mse`` and ``ssim``, means over held-out pictures; ``numbers``, all that were
        trained or fitted, and ``latent_numbers``, those of the latent space; of the first seed
        ``shown``, pictures of the page.
    """
    train, test = open_pictures(options, cell.seed)
    noisy = with_noise(test, cell.sigma, np.random.default_rng((cell.seed, 1)))
    clean, numbers, latent = _fitted(cell, options, train)
    cleaned = clean(noisy)
    row = {
        "kind": cell.kind, "sigma": cell.sigma, "seed": cell.seed,
        "mse": float(squared_error(cleaned, test).mean()),
        "ssim": float(similarity(cleaned, test).mean()),
        "numbers": numbers, "latent_numbers": latent,
    }  # fmt: skip
    if cell.seed == 0:
        row["shown"] = strip(cleaned)
        row["originals"] = strip(test)
    return row


def with_noise(pictures: Pictures, sigma: float, random: np.random.Generator) -> Pictures:
    """Gaussian noise added to each pixel, and what leaves 0 to 1 cut off."""
    found: Pictures = np.clip(pictures + sigma * random.standard_normal(pictures.shape), 0, 1)
    return found


def latent_of(kind: str, options: DenoiseOptions) -> nn.Module:
    """The latent space of an autoencoder."""
    if kind == "none":
        return Sines()
    return build("qaoa-latent", kind=kind, qubits=options.qubits, repetitions=options.layers)


def _fitted(cell: Cell, options: DenoiseOptions, train: Pictures) -> tuple[Clean, int, int]:
    """What cleans pictures, how many numbers were trained for it, and how many are the latent's."""
    if cell.kind == NOISY:
        return lambda noisy: noisy, 0, 0
    if cell.kind in FILTERS:
        rank = options.qubits if cell.kind == "linear" else None
        return linear_filter(train, cell.sigma, cell.seed, rank)
    assert cell.kind in LATENTS
    model = trained(cell, options, train)
    return _in_torch(model), _trained_numbers(model), _trained_numbers(model.latent)


def _trained_numbers(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _in_torch(model: nn.Module) -> Clean:
    def clean(noisy: Pictures) -> Pictures:
        with torch.no_grad():
            found: Tensor = model(torch.from_numpy(noisy).float()[:, None])
        cleaned: Pictures = found[:, 0].double().numpy()
        return cleaned

    return clean


def trained(cell: Cell, options: DenoiseOptions, train: Pictures) -> DenoisingAutoencoder:
    """An autoencoder that has learned to clean the training pictures, with new noise each time.

    The surroundings begin with the same weights, whatever the latent space is.
    """
    torch.manual_seed(cell.seed)
    latent = latent_of(cell.kind, options)
    torch.manual_seed(cell.seed)
    model = DenoisingAutoencoder(latent, options.qubits, options.side)
    wanted = torch.from_numpy(train).float()[:, None]
    random = torch.Generator().manual_seed(cell.seed)
    optimiser = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], options.learning_rate
    )
    batches = max(1, len(wanted) // options.batch_size)  # none is smaller than was asked for
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.epochs * batches)
    for _ in range(options.epochs):
        order = torch.randperm(len(wanted), generator=random)
        for chosen in order.tensor_split(batches):
            clean = wanted[chosen]
            noise = torch.randn(clean.shape, generator=random)
            optimiser.zero_grad()
            loss = (model((clean + cell.sigma * noise).clamp(0, 1)) - clean).square().mean()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def linear_filter(
    train: Pictures, sigma: float, seed: int, rank: int | None
) -> tuple[Clean, int, int]:
    """The affine map from noisy to clean training pictures of least squared error.

    Args:
        train: Clean pictures; each is noisy ten times.
        sigma: Standard deviation of the noise.
        seed: Of the noise.
        rank: How many numbers it goes through, as in a linear autoencoder (reduced-rank
            regression); None without a limit, a Wiener filter.

    Returns:
        The filter, its numbers, and those of its latent space.
    """
    random = np.random.default_rng((seed, 2))
    clean = np.concatenate([train] * 10)
    given = with_noise(clean, sigma, random).reshape(len(clean), -1)
    wanted = clean.reshape(len(clean), -1)
    before, after = given.mean(0), wanted.mean(0)
    pixels = given.shape[1]
    fitted = np.linalg.lstsq(given - before, wanted - after, rcond=None)[0]
    numbers = pixels * pixels
    if rank is not None:
        values = (given - before) @ fitted
        axes = np.linalg.eigh(values.T @ values)[1][:, -rank:]
        fitted, numbers = fitted @ axes @ axes.T, 2 * pixels * min(rank, pixels)

    def clean_up(noisy: Pictures) -> Pictures:
        flat = noisy.reshape(len(noisy), -1)
        found: Pictures = np.clip((flat - before) @ fitted + after, 0, 1)
        return found.reshape(noisy.shape)

    return clean_up, numbers + 2 * pixels, 0


def strip(pictures: Pictures) -> str:
    """The first pictures side by side, as the address of an image; small pixels are squares."""
    shown = np.pad(pictures[:SHOWN], ((0, 0), (0, 0), (0, 1)), constant_values=1.0)
    beside = np.concatenate(list(shown), axis=1)[:, :-1]
    square = np.ones(2 * (max(1, SIDE_SHOWN // pictures.shape[-1]),))
    image = Image.fromarray(np.uint8(np.round(255 * np.kron(beside, square))))
    return data_uri(image, image.width)
