import math

import pytest

from qvlm_qiskit.basics.numbers import is_real
from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.bounds import (
    check_probability,
    check_times,
    scaled_time,
    scaled_value,
)


@pytest.mark.parametrize(("value", "found"), [(1, True), (0.5, True), (True, False), ("1", False)])
def test_a_flag_and_a_text_are_no_numbers(value, found):
    assert is_real(value) is found
    assert not is_real(math.inf)


@pytest.mark.parametrize("value", [-1e-12, 1 + 1e-12, math.nan, None, True])
def test_a_probability_lies_between_0_and_1(value):
    check_probability("p", 0)
    check_probability("p", 1.0)
    with pytest.raises(NoiseModelError, match=r"p is .* between 0 and 1"):
        check_probability("p", value)


def test_t2_reaches_twice_t1_up_to_rounding():
    check_times(10.0, 20.0 * (1 + 1e-12))
    check_times(None, 1e6)
    with pytest.raises(NoiseModelError, match="above 2·t1_us=20"):
        check_times(10.0, 20.0 * (1 + 1e-6))


def test_what_lies_at_its_bound_stays_and_nothing_goes_beyond():
    assert scaled_value(-0.25, 2.0, 0.5, "fraction") == -0.5
    assert scaled_value(0.5, 3.0, 0.5, "fraction") == 0.5
    assert scaled_value(0.5, 0.0, 0.5, "fraction") == 0.0
    with pytest.raises(NoiseModelError, match=r"takes the fraction from -0\.3 to -0\.6"):
        scaled_value(-0.3, 2.0, 0.5, "fraction")


def test_a_time_is_divided_and_no_noise_is_no_relaxation():
    assert scaled_time(100.0, 4.0) == 25.0
    assert scaled_time(100.0, 0.0) is None
    assert scaled_time(None, 2.0) is None


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, True, "1"])
def test_a_relaxation_time_is_any_positive_number(value):
    check_times(1e-3, 1e-3)
    with pytest.raises(NoiseModelError, match=r"t1_us is .* positive time"):
        check_times(value, None)
    with pytest.raises(NoiseModelError, match=r"t2_us is .* positive time"):
        check_times(None, value)
