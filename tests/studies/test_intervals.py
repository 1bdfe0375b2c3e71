import numpy as np
import pytest
from scipy import stats

from qvlm_qiskit.evaluation.metrics import paired_difference
from qvlm_qiskit.studies.intervals import (
    accuracy_interval,
    bounded,
    differences,
    mean_interval,
    means,
    paired,
    paired_accuracy,
    verdict,
)


def test_intervals_end_where_their_numbers_do():
    rows = [{"seed": s, "kind": "a", "x": x, "y": x} for s, x in enumerate((0.1, 0.9, 1.0))]
    (point,) = bounded(means(rows, ("kind",), ("x", "y")), ("x",), 0, 1)
    assert (point["x"]["low"], point["x"]["high"]) == (0, 1)
    assert point["y"]["low"] < 0 and point["y"]["high"] > 1
    (alone,) = bounded(means(rows[:1], ("kind",), ("x",)), ("x",), 0, 1)
    assert alone["x"]["low"] is None


def test_means_have_students_interval():
    values = [0.1, 0.4, 0.35, 0.2, 0.25]
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert found == {
        "mean": pytest.approx(0.26),
        "low": pytest.approx(low),
        "high": pytest.approx(high),
        "seeds": 5,
    }
    assert mean_interval([0.3]) == {"mean": 0.3, "low": None, "high": None, "seeds": 1}


def test_seeds_that_agree_have_the_interval_of_their_questions():
    rows = [{"accuracy": 0.5, "correct": 5, "total": 10}] * 2
    found = accuracy_interval(rows)
    wilson = stats.binomtest(10, 20).proportion_ci(0.95, method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((wilson.low, wilson.high))
    wide = [{"accuracy": a, "correct": int(10 * a), "total": 10} for a in (0.0, 1.0)]
    assert (accuracy_interval(wide)["low"], accuracy_interval(wide)["high"]) == (0.0, 1.0)


def test_one_seed_has_the_intervals_of_its_questions():
    one = {"seed": 3, "accuracy": 0.75, "correct": 3, "total": 4, "right": "1110"}
    wilson = stats.binomtest(3, 4).proportion_ci(0.95, method="wilson")
    assert accuracy_interval([one]) == {
        "mean": 0.75,
        "low": pytest.approx(wilson.low),
        "high": pytest.approx(wilson.high),
        "seeds": 1,
    }
    other = {**one, "accuracy": 0.25, "right": "0010"}
    found, expected = paired_accuracy([one], [other]), paired_difference([1, 1, 1, 0], [0, 0, 1, 0])
    assert (found["mean"], found["seeds"]) == (0.5, 1)
    assert (found["low"], found["high"]) == (expected.low, expected.high)
    assert verdict(found) == "no difference seen, by one seed's questions"
    old = {k: v for k, v in one.items() if k != "right"}  # a row of an older release
    assert paired_accuracy([old], [other])["low"] is None
    assert paired_accuracy([one], [{**other, "seed": 4}]) is None
    two = paired_accuracy([one, {**one, "seed": 4}], [other, {**other, "seed": 4}])
    assert two == mean_interval([0.5, 0.5])


def made_up(variant, seed, value, machine="exact"):
    return {"variant": variant, "machine": machine, "seed": seed, "value": value}


def test_seeds_count_once_however_many_rows_they_have():
    rows = [made_up("a", 0, 1.0), made_up("a", 0, 3.0), made_up("a", 1, 4.0)]
    (found,) = means(rows, by=("variant",), of=("value",))
    assert found["variant"] == "a"
    assert found["value"] == mean_interval([2.0, 4.0])


def test_differences_are_paired_by_seed_within_a_machine():
    rows = [made_up("quantum", seed, seed + 0.5) for seed in (0, 1, 2)]
    rows += [made_up("classical", seed, float(seed)) for seed in (2, 0, 1)]
    rows += [made_up("quantum", 0, 9.0, "noisy"), made_up("classical", 1, 2.0, "noisy")]
    (found,) = differences(
        rows, by=("variant", "machine"), of=("value",), reference={"variant": "classical"}
    )
    assert (found["variant"], found["machine"]) == ("quantum", "exact")
    assert found["value"]["mean"] == pytest.approx(0.5)
    assert found["value"]["low"] == pytest.approx(0.5)  # the seeds themselves differ by 1


def test_without_a_common_seed_there_is_no_pair():
    assert paired([made_up("a", 0, 1.0)], [made_up("b", 1, 1.0)], ("value",)) is None


@pytest.mark.parametrize(
    ("values", "says"),
    [([1.0], "one seed"), ([-1.0, 1.0], "no difference"), ([1.0, 1.1], "better"),
     ([-1.0, -1.1], "worse")],
)  # fmt: skip
def test_a_difference_in_words(values, says):
    assert says in verdict(mean_interval(values))
