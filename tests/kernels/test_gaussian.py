import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels import GaussianKernel, align


def test_it_is_scikit_learns(rows, others):
    scale = np.array([0.5, 1.0, 2.0])
    found = GaussianKernel(scale=scale)(rows, others)
    np.testing.assert_allclose(found, rbf_kernel(rows * scale, others * scale, gamma=0.5))
    np.testing.assert_allclose(GaussianKernel(0.3)(rows), rbf_kernel(rows, gamma=0.045))


def test_it_is_aligned_like_a_quantum_kernel(rows, labels):
    found = align(GaussianKernel(3.0), rows, labels, steps=30)
    assert isinstance(found.kernel, GaussianKernel)
    assert found.after > found.before + 0.05


def test_what_does_not_fit_is_refused(rows, others):
    with pytest.raises(InputError, match="points of 3 features"):
        GaussianKernel()(rows, others[:, :2])
    with pytest.raises(InputError, match="points have 3 and 1 features"):
        GaussianKernel().matrix(rows, others[:, :1])
    with pytest.raises(InputError, match="one number or 3"):
        GaussianKernel(scale=(1.0, 2.0))(rows)
    with pytest.raises(InputError, match=r"points are rows \(N, features\), got \(3,\)"):
        GaussianKernel().matrix(rows[0])
    with pytest.raises(InputError, match="NaN or infinity"):
        GaussianKernel(scale=1e300)(rows * 1e300)
