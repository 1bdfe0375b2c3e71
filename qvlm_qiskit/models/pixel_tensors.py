"""Pictures as tensors, for models that bring no image processor of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from qvlm_qiskit.data.sample import Sample


def pixels(samples: Sequence[Sample], side: int) -> Tensor:
    """Their images in red, green and blue, ``(B, 3, side, side)`` from 0 to 1.

    Args:
        samples: With images of any size and mode.
        side: To which they are scaled, whatever shape they have.
    """
    scaled = [
        one.image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR) for one in samples
    ]
    levels = torch.from_numpy(np.stack([np.asarray(image) for image in scaled]))
    return levels.movedim(-1, 1).float() / 255
