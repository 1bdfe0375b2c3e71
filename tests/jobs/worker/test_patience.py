"""How long is waited before the next request."""

import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.jobs import Policy


def test_a_request_that_was_not_accepted_waits_twice_as_long_each_time():
    policy = Policy(first_retry_seconds=2.0, longest_retry_seconds=30.0)
    waits = [policy.retry_seconds(tries) for tries in range(1, 8)]
    assert waits == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_patience_is_positive(value):
    for name in vars(Policy()):
        with pytest.raises(InputError, match=name):
            Policy(**{name: value})


HOUR = 3600.0


def test_a_time_that_was_planned_before_the_clock_was_set_back_is_ignored():
    policy = Policy()
    assert policy.wait_seconds(10.0, 4.0) == 6.0
    assert policy.wait_seconds(4.0, 10.0) == policy.wait_seconds(10.0 + HOUR, 4.0) == 0.0
    assert Policy(longest_retry_seconds=3 * HOUR).wait_seconds(2 * HOUR, 0.0) == 2 * HOUR


def test_nothing_is_planned_further_ahead_than_the_longer_of_two_patiences():
    assert Policy(longest_retry_seconds=10.0).longest_wait_seconds == HOUR
    assert Policy(longest_retry_seconds=3 * HOUR).longest_wait_seconds == 3 * HOUR
