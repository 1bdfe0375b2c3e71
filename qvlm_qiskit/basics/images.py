"""One way of opening an image: files, PIL images and arrays become 8 bits of red, green and blue.

What a picture looks like on a screen is what a model gets:

- **Grey and colour of any depth** are scaled to 0 … 255, never clipped. White is 65535 with 16
  bits, 4095 in a TIFF of 12, 1.0 in floating point, and 1 in black-and-white images.
- **Transparent** pixels show black, the background of the digits that the models are trained on;
  whatever colour a file hides below them is not seen.
- **The orientation** that a camera notes (EXIF) is applied.
- **Of several frames** or pages the first one is taken.
- **Arrays** are ``(H, W)``, ``(H, W, C)`` or ``(C, H, W)`` with C = 1 (grey), 2 (grey, alpha), 3
  or 4 (alpha last); ``(H, W, C)`` where both are possible. Their type says what white is: bool 1,
  uint8 255, uint16 65535, floats 1.0.
- **Refused** is what has no white: other integers (those of 32 bits in a TIFF, for example),
  floats outside of 0 … 1, NaN.

Colour profiles are not applied.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps, UnidentifiedImageError

from qvlm_qiskit.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    Levels = np.ndarray[Any, np.dtype[Any]]

_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
_WHITE_IS_ZERO, _UNSIGNED, _FLOAT = 0, 1, 3  # values of the last two
_UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


def open_image(source: Any) -> Image.Image:
    """An image as a model gets it, by the rules above.

    Args:
        source: A path, a PIL image, or an array or tensor.

    Returns:
        An image in mode RGB, a new one.

    Raises:
        InputError: No such file, not an image that Pillow reads, or nothing that has a white.
    """
    if isinstance(source, Image.Image):
        return _read(source, f"the image in mode {source.mode}")
    if isinstance(source, str | Path):
        return _open_file(Path(source))
    if hasattr(source, "__array__"):
        return _from_array(source)
    raise InputError(f"an image is a path, a PIL image or an array, got {type(source).__name__}")


def _open_file(path: Path) -> Image.Image:
    try:
        found = path.is_file()
    except (OSError, ValueError) as error:  # a name that no disk takes
        raise InputError(f"no image file there: {getattr(error, 'strerror', error)}") from error
    if not found:
        raise InputError(f"no image file at {path}")
    try:
        # not by name: Pillow maps such files, and a TIFF turned by 90° in the wrong shape
        with path.open("rb") as file, Image.open(file) as image:
            return _read(image, str(path))
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image (PNG, JPEG, GIF, BMP, TIFF, WebP …)") from error
    except _UNREADABLE as error:
        raise InputError(f"{path} is a damaged or unreadable image: {error}") from error


def _read(image: Image.Image, name: str) -> Image.Image:
    """Levels, then orientation, then transparency."""
    try:
        image.load()
        deep = image.mode in ("I", "F") or image.mode.startswith("I;")
        upright = ImageOps.exif_transpose(_to_8_bits(image, name) if deep else image)
        return _on_black(upright)
    except _UNREADABLE as error:
        raise InputError(f"{name} is damaged or unreadable: {error}") from error


def _transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _on_black(image: Image.Image) -> Image.Image:
    """Without transparency: blended with black."""
    if not _transparent(image):
        return image.convert("RGB")
    straight = image.convert("LA") if image.mode == "La" else image
    colours = straight.convert("RGBA")
    if colours.getchannel("A").getextrema() == (255, 255):  # a third of the time, the same picture
        return colours.convert("RGB")
    black = Image.new("RGBA", colours.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, colours).convert("RGB")


def _to_8_bits(image: Image.Image, name: str) -> Image.Image:
    """A grey image of more than 8 bits as one of 8, with its EXIF data and transparency."""
    import numpy as np

    levels = np.asarray(image)
    shown = Image.fromarray(_scaled(levels, *_black_and_white(image, name), name))
    if (hidden := image.info.get("transparency")) is not None:
        shown.putalpha(Image.fromarray(np.where(levels == hidden, 0, 255).astype(np.uint8)))
    shown.info["exif"] = image.getexif().tobytes()
    return shown


def _black_and_white(image: Image.Image, name: str) -> tuple[float, float]:
    """The levels of black and of white.

    Raises:
        InputError: The image says nothing by which they are known.
    """
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    bits, kinds = max(tags.get(_BITS, (16,))), tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    if image.mode == "F" and set(kinds) <= {_UNSIGNED, _FLOAT}:
        white = 1.0
    elif bits <= 16 and set(kinds) == {_UNSIGNED}:
        white = 2.0**bits - 1
    else:
        what = "32-bit" if bits > 16 else "signed"
        raise InputError(
            f"{name} has {what} integers, which have no white: store 16 bits or floats"
        )
    # Pillow turns this round with 8 bits only
    turned = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.mode.startswith("I;")
    return (white, 0.0) if turned else (0.0, white)


def _scaled(levels: Levels, black: float, white: float, name: str) -> Levels:
    """Black … white as 0 … 255, rounded.

    Raises:
        InputError: A level outside of that, or NaN.
    """
    import numpy as np

    low, high = (float(levels.min()), float(levels.max())) if levels.size else (0.0, 0.0)
    if not 0 <= low <= high <= max(black, white):  # also true for NaN
        raise InputError(
            f"{name} has levels from {low:g} to {high:g}, but black is {black:g} and white "
            f"{white:g}: scale it"
        )
    shares = (levels.astype(np.float64) - black) / (white - black)
    return np.rint(shares * 255).astype(np.uint8)


def _from_array(source: Any) -> Image.Image:
    """An array by its type and shape."""
    import numpy as np

    if hasattr(source, "detach"):  # a tensor, of any device
        source = source.detach().cpu()
    try:
        levels = np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"an image can't be made of that array: {error}") from error
    whites = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}
    white = 1.0 if levels.dtype.kind == "f" else whites.get(levels.dtype.name)
    if white is None:
        raise InputError(
            f"an image of {levels.dtype.name} has no white: give bool (white 1), uint8 (255), "
            "uint16 (65535) or floats (1.0)"
        )
    last = _channels_last(levels)
    return _on_black(Image.fromarray(_scaled(last, 0.0, white, f"the {levels.dtype.name} array")))


def _channels_last(levels: Levels) -> Levels:
    """``(H, W)`` or ``(H, W, C)``.

    Raises:
        InputError: Another shape, or no pixels.
    """
    channels = (1, 2, 3, 4)
    if levels.ndim == 3 and levels.shape[-1] not in channels and levels.shape[0] in channels:
        levels = levels.transpose(1, 2, 0)
    if levels.ndim == 3 and levels.shape[-1] == 1:
        levels = levels[..., 0]
    if (
        not levels.size
        or levels.ndim not in (2, 3)
        or (levels.shape[2:] or (1,))[0] not in channels
    ):
        raise InputError(
            f"an image is (H, W), (H, W, C) or (C, H, W) with C from 1 to 4, got {levels.shape}"
        )
    return levels
