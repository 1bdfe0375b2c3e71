import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.noise.sweep import SCALES


@pytest.mark.parametrize(
    "sizes",
    [
        {"noisy_samples": 21},
        {"noisy_samples": 1},
        {"noisy_samples": -5},
        {"runtime_samples": 21},
        {"runtime_samples": 0},
        {"test_samples": 0},
        {"test_samples": 5},
    ],
)
def test_sizes_that_do_not_fit_are_refused(demo_options, sizes):
    with pytest.raises(InputError, match="must be between 2 and test_samples"):
        demo_options(**sizes)


def test_the_factors_that_are_left_out_are_those_that_are_not_used(demo_options):
    assert demo_options(scales=SCALES).scales_left_out == []
    assert demo_options(scales=SCALES[:2]).scales_left_out == list(SCALES[2:])
