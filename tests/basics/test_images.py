import struct

import numpy as np
import pytest
import torch
from PIL import Image

from qvlm_qiskit.basics.images import open_image
from qvlm_qiskit.errors import InputError


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_image_file_is_read_as_colours(tmp_path, suffix, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / f"image.{suffix}")
    read = open_image(tmp_path / f"image.{suffix}")
    assert read.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(read), np.asarray(image.convert("RGB")))


def test_the_file_is_closed_and_may_go_away(tmp_path):
    path = tmp_path / "image.png"
    Image.new("L", (3, 3), 7).save(path)
    read = open_image(path)
    path.unlink()
    assert read.getpixel((1, 1)) == (7, 7, 7)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "nothing.png", tmp_path):
        with pytest.raises(InputError, match="no image file"):
            open_image(path)


def test_a_file_that_is_no_image_is_named(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("hello")
    with pytest.raises(InputError, match=r"text\.png is not an image"):
        open_image(path)


def test_a_truncated_image_is_named(tmp_path):
    path = tmp_path / "half.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"half\.png"):
        open_image(path)


PICTURE = np.random.default_rng(1).integers(0, 256, (4, 6), dtype=np.uint8)
"""Grey, and not its own mirror image."""


def seen(source):
    """One channel of what a model gets, which is grey."""
    pixels = np.asarray(open_image(source))
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def deep(bits=16):
    """The picture with so many bits: its levels are the rounded ones of 8."""
    white = 2**bits - 1
    return np.rint(PICTURE / 255 * white).astype(np.uint16)


GREY = {
    "bool": (PICTURE > 99, np.where(PICTURE > 99, 255, 0)),
    "uint8": (PICTURE, PICTURE),
    "uint16": (deep(), PICTURE),
    "big endian": (deep().astype(">u2"), PICTURE),
    "float16": ((PICTURE / 255).astype(np.float16), PICTURE),
    "float32": ((PICTURE / 255).astype(np.float32), PICTURE),
    "float64": (PICTURE / 255, PICTURE),
}


@pytest.mark.parametrize("kind", GREY)
def test_the_type_of_an_array_says_what_white_is(kind):
    levels, expected = GREY[kind]
    np.testing.assert_array_equal(seen(levels), expected)
    np.testing.assert_array_equal(seen(levels[None]), expected)
    np.testing.assert_array_equal(seen(levels[..., None]), expected)
    np.testing.assert_array_equal(seen(np.stack([levels] * 3)), expected)
    np.testing.assert_array_equal(seen(np.stack([levels] * 3, axis=-1)), expected)
    native = np.ascontiguousarray(levels, dtype=levels.dtype.newbyteorder("="))
    np.testing.assert_array_equal(seen(torch.from_numpy(native).requires_grad_(False)), expected)


def test_a_tensor_with_a_gradient_is_a_picture_too():
    tensor = torch.from_numpy(PICTURE / 255).requires_grad_(True)
    np.testing.assert_array_equal(seen(tensor), PICTURE)


FILES = {
    "png 16": (deep(), "png", {}),
    "tiff 16": (deep(), "tiff", {}),
    "tiff 16, white is 0": (65535 - deep(), "tiff", {"tiffinfo": {262: 0}}),
    # with 8 bits Pillow turns the levels round as it writes
    "tiff 8, white is 0": (PICTURE, "tiff", {"tiffinfo": {262: 0}}),
    "tiff 32, floats": ((PICTURE / 255).astype(np.float32), "tiff", {}),
    "pgm 16": (deep(), "pgm", {}),
    "jpeg 2000, 16": (deep(), "jp2", {"irreversible": False}),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_any_depth_is_scaled_and_not_clipped(tmp_path, kind):
    levels, suffix, options = FILES[kind]
    Image.fromarray(levels).save(tmp_path / f"a.{suffix}", **options)
    np.testing.assert_array_equal(seen(tmp_path / f"a.{suffix}"), PICTURE)
    with Image.open(tmp_path / f"a.{suffix}") as image:
        np.testing.assert_array_equal(seen(image), PICTURE)


@pytest.mark.parametrize(("maximum", "bits"), [(1023, 10), (4095, 12), (255, 8), (65535, 16)])
def test_a_portable_grey_map_states_its_own_white(tmp_path, maximum, bits):
    levels = deep(bits).astype(">u2" if bits > 8 else np.uint8)
    header = f"P5 {levels.shape[1]} {levels.shape[0]} {maximum}\n".encode()
    (tmp_path / "a.pgm").write_bytes(header + levels.tobytes())
    np.testing.assert_array_equal(seen(tmp_path / "a.pgm"), PICTURE)


def test_a_tiff_of_12_bits_is_not_16_times_too_dark(tmp_path):
    rows = [
        b"".join(int(a << 12 | b).to_bytes(3, "big") for a, b in row.reshape(-1, 2).astype(int))
        for row in deep(12)
    ]
    (tmp_path / "a.tiff").write_bytes(tiff(b"".join(rows), 6, 4, bits=12))
    np.testing.assert_array_equal(seen(tmp_path / "a.tiff"), PICTURE)


def tiff(data, width, height, bits, sample_format=1):
    """A little-endian grey TIFF of one strip."""
    values = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 278: height, 339: sample_format}
    entries = {**values, 273: 8, 279: len(data)}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries))
    directory = struct.pack("<H", len(entries)) + body + b"\0\0\0\0"
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        (PICTURE.astype(np.int64), "int64 has no white"),
        (PICTURE.astype(np.float32), "levels from .* white 1: scale"),
        (np.full((2, 2), np.nan), "levels from nan"),
        (np.full((2, 2), -0.1), "levels from -0.1"),
        (np.full((2, 2), 1j), "complex128 has no white"),
        (np.zeros((5, 5, 5)), r"\(H, W\)"),
        (np.zeros((0, 2)), r"\(H, W\)"),
        (np.zeros(4), r"\(H, W\)"),
        (Image.fromarray(PICTURE.astype(np.float32)), "mode F has levels"),
        (Image.fromarray(np.full((2, 2), -1, np.int32)), "mode I has levels from -1"),
        (Image.fromarray(np.full((2, 2), 65536, np.int32)), "mode I has levels"),
        (7, "a path, a PIL image or an array, got int"),
    ],
)
def test_what_has_no_white_is_refused(levels, why):
    with pytest.raises(InputError, match=why):
        open_image(levels)


@pytest.mark.parametrize(("bits", "kind"), [(32, 1), (32, 2), (16, 2)])
def test_a_tiff_of_integers_without_a_white_is_refused(tmp_path, bits, kind):
    (tmp_path / "a.tiff").write_bytes(tiff(b"\0" * (bits // 8) * 4, 2, 2, bits, kind))
    with pytest.raises(InputError, match=r"a\.tiff has (32-bit|signed) integers"):
        open_image(tmp_path / "a.tiff")


STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a.T, 2),
    8: lambda a: np.rot90(a, 3),
}
"""Orientation → how a camera stores the picture."""


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("suffix", "levels"), [
    ("png", PICTURE), ("png", deep()), ("tiff", PICTURE), ("tiff", deep()), ("webp", PICTURE),
])  # fmt: skip
def test_the_orientation_that_a_camera_notes_is_applied_once(tmp_path, suffix, levels, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    stored = np.ascontiguousarray(STORED[orientation](levels))
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(stored).save(path, exif=exif, **options)
    np.testing.assert_array_equal(seen(path), PICTURE)
    with path.open("rb") as file, Image.open(file) as image:
        np.testing.assert_array_equal(seen(image), PICTURE)
    np.testing.assert_array_equal(seen(open_image(path)), PICTURE)


def transparent_pictures():
    """White where the picture is bright, by transparency alone; and its hidden background white."""
    full, none = np.full_like(PICTURE, 255), np.where(PICTURE > 99, 255, 0).astype(np.uint8)
    grey = np.where(PICTURE > 99, PICTURE, 255).astype(np.uint8)
    shown = np.where(PICTURE > 99, PICTURE, 0)
    palette = Image.fromarray(grey).convert("P")
    coloured = Image.fromarray(np.stack([grey] * 3 + [none], axis=-1))
    yield "LA", Image.fromarray(np.stack([full, PICTURE], axis=-1)), PICTURE
    yield "RGBA", Image.fromarray(np.stack([full] * 3 + [PICTURE], axis=-1)), PICTURE
    yield (
        "RGBa",
        Image.fromarray(np.stack([full] * 3 + [PICTURE], axis=-1)).convert("RGBa"),
        PICTURE,
    )
    yield "hidden", coloured, shown
    yield "PA", palette_with_alpha(palette, none), shown
    for mode in ("L", "RGB", "P"):
        image = Image.fromarray(grey).convert(mode)
        image.info["transparency"] = (255, 255, 255) if mode == "RGB" else 255
        yield f"{mode}, one colour", image, np.where(grey == 255, 0, grey)
    image = Image.fromarray(grey.astype(np.uint16) * 257)
    image.info["transparency"] = 65535
    yield "I;16, one level", image, np.where(grey == 255, 0, grey)


def palette_with_alpha(palette, alpha):
    image = palette.convert("PA")
    image.putalpha(Image.fromarray(alpha))
    return image


TRANSPARENT = {name: (image, expected) for name, image, expected in transparent_pictures()}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparent_pixels_are_black_whatever_lies_below_them(name):
    image, expected = TRANSPARENT[name]
    np.testing.assert_allclose(seen(image), expected, atol=1)


@pytest.mark.parametrize(
    "name", [n for n in TRANSPARENT if n not in ("PA", "RGBa", "P, one colour")]
)
def test_a_file_with_transparency_is_the_same(tmp_path, name):
    image, expected = TRANSPARENT[name]
    hidden = image.info.get("transparency")
    image.save(tmp_path / "a.png", **({} if hidden is None else {"transparency": hidden}))
    np.testing.assert_array_equal(seen(tmp_path / "a.png"), expected)


def test_an_opaque_picture_with_alpha_keeps_its_colours():
    colours = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    opaque = np.dstack([colours, np.full((7, 9), 255, np.uint8)])
    shown = np.asarray(open_image(Image.fromarray(opaque, "RGBA")))
    np.testing.assert_array_equal(shown, colours)


def test_an_array_with_alpha_is_blended_with_black():
    full = np.full_like(PICTURE, 255)
    for axis in (0, -1):
        np.testing.assert_array_equal(seen(np.stack([full, PICTURE], axis=axis)), PICTURE)
        np.testing.assert_array_equal(seen(np.stack([full] * 3 + [PICTURE], axis=axis)), PICTURE)


def test_the_first_frame_is_taken(tmp_path):
    frames = [Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    for name in ("a.gif", "a.tiff"):
        np.testing.assert_array_equal(seen(tmp_path / name), PICTURE)


def test_a_picture_is_copied_and_not_changed():
    image = Image.fromarray(np.stack([PICTURE] * 3, axis=-1))
    opened = open_image(image)
    opened.putpixel((0, 0), (1, 2, 3))
    np.testing.assert_array_equal(np.asarray(image)[..., 0], PICTURE)


def test_a_damaged_exif_block_is_warned_of_and_the_picture_shown_as_it_lies(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff")
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        np.testing.assert_array_equal(seen(tmp_path / "a.png"), PICTURE)
