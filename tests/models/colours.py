"""A folder of pictures in three colours, and the documentation's example that tells them apart."""

from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "docs" / "picture_classifier.py"
NAME = "picture_classifier:PictureClassifier"
SHADES = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 200)}
SPLITS = {"train": 8, "val": 2, "test": 4}


def colour_folder(place, splits=SPLITS, shades=SHADES):
    """Noisy pictures of one colour each, of several sizes, in a subfolder for each label."""
    random = np.random.default_rng(0)
    for split, count in splits.items():
        for name, shade in shades.items():
            folder = place / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                noise = random.integers(-40, 40, (12, 10 + i, 3))
                picture = np.clip(np.array(shade) + noise, 0, 255).astype(np.uint8)
                Image.fromarray(picture).save(folder / f"{i}.png")
    return place
