"""Errors and similarities of pictures, against sums that are written out and a library's values."""

import itertools

import numpy as np
import pytest

from qvlm_qiskit.studies.denoise.similarity import similarity, squared_error


def by_windows(one, other):
    """SSIM of two pictures by NumPy's own variances, window by window."""
    found = []
    for y, x in itertools.product(*(range(side - 6) for side in one.shape)):
        a, b = (picture[y : y + 7, x : x + 7].ravel() for picture in (one, other))
        (va, cov), (_, vb) = np.cov(a, b)
        above = (2 * a.mean() * b.mean() + 1e-4) * (2 * cov + 9e-4)
        found.append(above / ((a.mean() ** 2 + b.mean() ** 2 + 1e-4) * (va + vb + 9e-4)))
    return np.mean(found)


def test_similarity_is_the_mean_over_windows():
    random = np.random.default_rng(0)
    ones, others = random.random((2, 5, 11, 9))
    wanted = [by_windows(a, b) for a, b in zip(ones, others, strict=True)]
    np.testing.assert_allclose(similarity(ones, others), wanted, rtol=0, atol=1e-13)
    np.testing.assert_allclose(similarity(ones, ones), 1, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("side", "wanted"), [(8, 0.5762695946717098), (28, 0.32179084897712396)])
def test_similarity_has_the_values_of_scikit_image(side, wanted):
    """0.26, `structural_similarity(one, other, data_range=1)`."""
    y, x = np.mgrid[:side, :side] / side
    one, other = (1 + np.sin(9 * x + 4 * y)) / 2, (1 + np.sin(8 * x + 5 * y * y)) / 2
    assert similarity(one, other) == pytest.approx(wanted, abs=1e-12)


def test_errors_are_of_each_picture():
    ones, others = np.zeros((3, 2, 2)), np.arange(12.0).reshape(3, 2, 2)
    np.testing.assert_array_equal(squared_error(ones, others), [3.5, 31.5, 91.5])
