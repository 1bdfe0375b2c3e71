import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvlm_qiskit.evaluation import Accuracy, paired_difference

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


def wilson(correct, total):
    """Wilson's interval by its formula, the slow twin."""
    share = correct / total
    scale = 1 / (1 + Z**2 / total)
    middle = scale * (share + Z**2 / (2 * total))
    half = scale * Z * math.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (8, 10, 0.4902, 0.9433),
        (50, 100, 0.4038, 0.5962),
        (1, 1, 0.2065, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_has_its_known_values(correct, total, low, high):
    assert Accuracy(correct, total).interval == pytest.approx((low, high), abs=5.1e-5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons_and_holds_the_accuracy(counts):
    accuracy = Accuracy(*counts)
    low, high = accuracy.interval
    assert (low, high) == pytest.approx(wilson(*counts), abs=1e-12)
    assert 0 <= low <= accuracy.value <= high <= 1
    assert low < high


def test_an_accuracy_as_plain_data_and_as_text():
    record = Accuracy(8, 10).as_dict()
    assert list(record) == ["correct", "total", "accuracy", "low", "high"]
    assert (record["correct"], record["total"], record["accuracy"]) == (8, 10, 0.8)
    assert str(Accuracy(8, 10)) == " 80.0% [49.0%, 94.3%]"


@pytest.mark.parametrize("answers", [[True], [True, False, True], [False] * 50])
def test_the_difference_of_equal_answers_is_zero(answers):
    found = paired_difference(answers, answers)
    assert found.as_dict() == {"difference": 0.0, "low": 0.0, "high": 0.0}


def test_a_difference_has_a_sign_and_an_interval_around_it():
    first, second = [True] * 30 + [False] * 10, [True] * 20 + [False] * 20
    found = paired_difference(first, second)
    assert found.value == pytest.approx(0.25)
    assert 0 < found.low < found.value < found.high < 0.5
    turned = paired_difference(second, first)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )


def test_the_interval_of_a_difference_is_one_of_95_percent():
    """For many questions the bootstrap's interval is the normal distribution's."""
    rng = np.random.default_rng(7)
    first, second = rng.random(2000) < 0.7, rng.random(2000) < 0.6
    deviation = np.std(first.astype(float) - second.astype(float)) / math.sqrt(2000)
    found = paired_difference(first, second)
    assert found.high - found.low == pytest.approx(2 * Z * deviation, rel=0.06)
    assert found.high - found.value == pytest.approx(found.value - found.low, rel=0.1)


def test_pairing_makes_the_interval_narrower():
    rng = np.random.default_rng(3)
    first = rng.random(200) < 0.5
    second = first.copy()
    second[:10] = ~second[:10]
    paired = paired_difference(first, second)
    apart = paired_difference(first, rng.permutation(second))
    assert paired.high - paired.low < 0.4 * (apart.high - apart.low)


def test_the_seed_decides_the_resampling():
    rng = np.random.default_rng(5)
    first, second = rng.random(999) < 0.6, rng.random(999) < 0.5
    assert paired_difference(first, second, 1) == paired_difference(first, second, 1)
    assert len({paired_difference(first, second, seed) for seed in range(8)}) > 1


def test_the_bootstrap_covers_the_true_difference():
    """Nominally in 95 % of the draws; 88 % is four standard errors below."""
    rng = np.random.default_rng(11)
    # per question: both right, only the first, only the second, none
    shares, true = [0.5, 0.25, 0.1, 0.15], 0.25 - 0.1
    covered = 0
    for draw in range(150):
        outcome = rng.choice(4, size=80, p=shares)
        found = paired_difference(outcome <= 1, (outcome == 0) | (outcome == 2), seed=draw)
        covered += found.low <= true <= found.high
    assert covered / 150 > 0.88


@pytest.mark.parametrize(
    ("first", "second"),
    [([], []), ([True, False], [True, False, True]), ([True, False, True], [True]), ([True], [])],
)
def test_different_or_no_questions_have_no_difference(first, second):
    with pytest.raises(ValueError):
        paired_difference(first, second)
