"""The number by which rows near another are found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvlm_qiskit.jobs.ledger.projection import projection, window

VALUES = st.floats(-1e9, 1e9)


@given(st.lists(VALUES, max_size=40), st.floats(1e-12, 1e-3), st.randoms(use_true_random=False))
def test_every_row_within_the_bound_is_in_the_window(values, bound, random):
    other = [value + random.uniform(-bound, bound) for value in values]
    low, high = window(values, bound)
    # Added in another order, as another computer may.
    assert low <= projection(other) <= high
    assert low <= projection(np.array(other)[::1]) <= high


@pytest.mark.parametrize("count", [1, 2, 7, 40])
@pytest.mark.parametrize("bound", [1e-12, 7.5e-7, 1e-3])
def test_rows_at_the_bound_itself_are_in_the_window_of_zeros(count, bound):
    low, high = window([0.0] * count, bound)
    assert low < projection([-bound] * count) < projection([bound] * count) < high


def test_a_window_leads_to_hardly_any_other_row():
    generator = np.random.default_rng(0)
    rows = generator.uniform(-3, 3, (20_000, 8))
    numbers = np.array([projection(row) for row in rows])
    low, high = window(rows[0], 7.5e-7)
    assert ((numbers >= low) & (numbers <= high)).sum() <= 3


def test_exchanged_values_have_another_number():
    assert projection([1.0, 2.0, 3.0]) != projection([3.0, 2.0, 1.0])


@pytest.mark.parametrize("values", [[], [1e308] * 9, [1e308, -1e308] * 9])
def test_the_number_is_finite(values):
    assert np.isfinite(projection(values))


def test_rows_whose_number_would_not_be_finite_share_one_for_all_ledgers():
    assert projection([1e308] * 9) == projection([np.inf]) == projection([]) == 0
