"""Image files of users."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from qvlm_qiskit.errors import InputError


def open_image(path: Path) -> Image.Image:
    """Read an image file completely.

    Raises:
        InputError: No such file, or not an image that Pillow reads.
    """
    try:
        found = path.is_file()
    except OSError as error:
        raise InputError(f"no image file there: {error.strerror}") from error
    if not found:
        raise InputError(f"no image file at {path}")
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image (PNG, JPEG, GIF, BMP, TIFF, WebP …)") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is a damaged or unreadable image: {error}") from error
