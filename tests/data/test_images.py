import numpy as np
import pytest
from PIL import Image

from qvlm_qiskit.data.images import open_image
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
