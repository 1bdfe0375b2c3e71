"""Pictures to train on and pictures that are held out, in grey levels from 0 to 1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

from qvlm_qiskit.data.registry import open_data
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.denoise.options import DenoiseOptions

Pictures = npt.NDArray[np.float64]
GREYS = 16
"""Of scikit-learn's digits."""


def open_pictures(options: DenoiseOptions, seed: int) -> tuple[Pictures, Pictures]:
    """Pictures to train on and held-out ones, both ``(N, side, side)``.

    Digits are divided by the seed; a data set has its own test pictures.

    Args:
        options: Which, how many, and of how many pixels.
        seed: Of the division.

    Raises:
        InputError: Too few pictures.
        QVLMError: Data that can't be read.
    """
    if (name := options.data_name) is None:
        train, test = _digits(options.side, seed)
    else:
        train, test = (
            _of_samples(open_data(name, split, seed=seed), options.side)
            for split in ("train", "test")
        )
    train, test = train[: options.train_pictures], test[: options.test_pictures]
    for what, found in (("train on", train), ("hold out", test)):
        if len(found) < 2:
            raise InputError(f"there are {len(found)} pictures to {what}: at least 2 are needed")
    return train, test


def _digits(side: int, seed: int) -> tuple[Pictures, Pictures]:
    images = load_digits().images / GREYS
    if side != images.shape[-1]:
        images = np.stack([_scaled(Image.fromarray(np.uint8(255 * i)), side) for i in images])
    order = np.random.default_rng(seed).permutation(len(images))
    held_out = len(images) // 5
    return images[order[held_out:]], images[order[:held_out]]


def _of_samples(samples: Iterable[Sample], side: int) -> Pictures:
    """Each picture once, however many questions are asked about it."""
    found: dict[bytes, Pictures] = {}
    for sample in samples:
        picture = _scaled(sample.image, side)
        found.setdefault(picture.tobytes(), picture)
    return np.stack([*found.values()]) if found else np.zeros((0, side, side))


def _scaled(image: Image.Image, side: int) -> Pictures:
    grey = image.convert("RGB").convert("L")
    if grey.size != (side, side):
        grey = grey.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(grey, dtype=np.float64) / 255
