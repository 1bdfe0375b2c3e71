import math

import numpy as np
import pytest

from qvlm_qiskit.evaluation.metrics import bootstrap as module
from qvlm_qiskit.evaluation.metrics.bootstrap import bootstrap
from qvlm_qiskit.evaluation.metrics.intervals import RESAMPLES


def mean(sums):
    return sums[..., :1] / sums[..., 1:]


def with_ones(values):
    return np.column_stack([values, np.ones(len(values))])


def test_it_is_the_slow_bootstrap_of_the_same_draws():
    statistics = with_ones(np.random.default_rng(1).normal(size=7))
    found = bootstrap(mean, statistics, seed=3)
    drawn = np.random.default_rng(3).integers(0, 7, size=(RESAMPLES, 7))
    means = [statistics[rows, 0].mean() for rows in drawn]
    assert found.value == pytest.approx([statistics[:, 0].mean()])
    assert found.low == pytest.approx([np.quantile(means, 0.025)])
    assert found.high == pytest.approx([np.quantile(means, 0.975)])


def test_for_many_samples_the_interval_of_a_mean_is_the_normal_distributions():
    values = np.random.default_rng(7).normal(size=900)
    found = bootstrap(mean, with_ones(values))
    half = 1.96 * values.std() / math.sqrt(900)
    assert found.high - found.low == pytest.approx([2 * half], rel=0.06)


def test_one_sample_or_equal_samples_have_no_width():
    for count in (1, 5):
        found = bootstrap(mean, with_ones(np.full(count, 0.25)))
        assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)


def test_the_seed_decides_the_draws():
    statistics = with_ones(np.random.default_rng(2).random(40))
    lows = [float(bootstrap(mean, statistics, seed).low[0]) for seed in (0, 0, 1)]
    assert lows[0] == lows[1] != lows[2]


def test_several_numbers_at_once_and_draws_in_portions(monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 7 * 999)
    statistics = np.random.default_rng(4).random((7, 3))
    found = bootstrap(lambda sums: np.sqrt(sums), statistics)
    assert found.value.shape == found.low.shape == found.high.shape == (3,)
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
