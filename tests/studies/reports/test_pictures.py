import base64
import io

import numpy as np
import pytest
from PIL import Image

from qvlm_qiskit.studies.reports.pictures import data_uri


def opened(uri):
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize(
    ("size", "shown"), [((16, 16), (112, 112)), ((300, 150), (112, 56)), ((1, 400), (1, 112))]
)
def test_pictures_keep_their_proportions(size, shown):
    assert opened(data_uri(Image.new("L", size))).size == shown


def test_drawings_of_few_pixels_stay_sharp():
    dots = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8))
    assert set(np.unique(np.asarray(opened(data_uri(dots))))) == {0, 255}
