"""What is taken from mitiq: weights of extrapolations, and its name where it is missing."""

import builtins

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.mitigation.mitiq_bridge import zero_noise_weights
from qvlm_qiskit.errors import MissingDependencyError, MitigationError


def test_weights_extrapolate_polynomials_exactly():
    scales = (1.0, 3.0, 5.0)
    line = [0.8 - 0.1 * s for s in scales]
    parabola = [0.8 - 0.1 * s + 0.01 * s**2 for s in scales]
    assert np.dot(zero_noise_weights("linear", scales), line) == pytest.approx(0.8)
    for name in ("richardson", "quadratic"):
        assert np.dot(zero_noise_weights(name, scales), parabola) == pytest.approx(0.8)
    # The least-squares line through three equidistant points, by hand.
    assert zero_noise_weights("linear", scales) == pytest.approx((13 / 12, 1 / 3, -5 / 12))


@pytest.mark.parametrize(
    ("name", "scales"), [("cubic", (1.0, 3.0)), ("linear", (1.0,)), ("quadratic", (1.0, 3.0))]
)
def test_impossible_extrapolations_are_refused(name, scales):
    with pytest.raises(MitigationError):
        zero_noise_weights(name, scales)


def test_a_missing_mitiq_is_named(monkeypatch):
    plain_import = builtins.__import__

    def without_mitiq(name, *arguments, **options):
        if name.startswith("mitiq"):
            raise ModuleNotFoundError(name, name=name)
        return plain_import(name, *arguments, **options)

    zero_noise_weights.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without_mitiq)
    with pytest.raises(MissingDependencyError, match=r"qvlm-qiskit\[mitigation\]"):
        open_backend("noisy:fake_manila", mitigation="zne")
    open_backend("noisy:fake_manila", mitigation="readout")
