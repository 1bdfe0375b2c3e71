"""Pictures in a page: as data, so that it needs no other file."""

from __future__ import annotations

import base64
import io

from PIL import Image

SIDE = 112
"""Longest side of a picture on the page, in pixels."""
_TINY = 40
"""Pictures up to this side are drawings of few pixels, and stay sharp."""


def data_uri(image: Image.Image, side: int = SIDE) -> str:
    """A picture as the address of itself, in its own proportions.

    Args:
        image: Any size and mode.
        side: Of the longer side on the page, in pixels.
    """
    scale = side / max(image.size)
    size = tuple(max(1, round(scale * length)) for length in image.size)
    how = Image.Resampling.NEAREST if max(image.size) <= _TINY else Image.Resampling.LANCZOS
    buffer = io.BytesIO()
    image.convert("RGB").resize((size[0], size[1]), how).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
