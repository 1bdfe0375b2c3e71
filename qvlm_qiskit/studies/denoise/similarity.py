"""How alike two pictures are: mean squared error, and structural similarity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pictures = npt.NDArray[np.float64]
WINDOW = 7
K1, K2 = 0.01, 0.03


def squared_error(ones: Pictures, others: Pictures) -> Pictures:
    """Mean squared error of each picture ``(…, h, w)`` → ``(…)``."""
    found: Pictures = np.square(ones - others).mean((-2, -1))
    return found


def similarity(ones: Pictures, others: Pictures) -> Pictures:
    """SSIM of Wang et al. (2004) of pictures from 0 to 1, as scikit-image has it by default.

    Means over all windows of 7 × 7 pixels that lie inside, each pixel of the same weight, with
    unbiased variances.

    Args:
        ones: ``(…, h, w)``, sides of at least 7.
        others: The same shape.

    Returns:
        ``(…)``, 1 where both are the same.
    """
    one, other = (_windows(pictures) for pictures in (ones, others))
    mean, mean_other = one.mean(-1), other.mean(-1)
    centred, centred_other = one - mean[..., None], other - mean_other[..., None]
    count = WINDOW**2 - 1
    variances = (np.square(centred) + np.square(centred_other)).sum(-1) / count
    covariance = (centred * centred_other).sum(-1) / count
    c1, c2 = K1**2, K2**2
    above = (2 * mean * mean_other + c1) * (2 * covariance + c2)
    below = (np.square(mean) + np.square(mean_other) + c1) * (variances + c2)
    found: Pictures = (above / below).mean((-2, -1))
    return found


def _windows(pictures: Pictures) -> Pictures:
    """``(…, h, w)`` → ``(…, h - 6, w - 6, 49)``."""
    rows = np.lib.stride_tricks.sliding_window_view(pictures, WINDOW, axis=-2)
    views: Pictures = np.lib.stride_tricks.sliding_window_view(rows, WINDOW, axis=-2)
    return views.reshape(*views.shape[:-2], WINDOW**2)
