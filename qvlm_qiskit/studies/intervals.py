"""Means over seeds and differences paired by seed, with 95 % intervals.

Models are imported where numbers are summarised, so that processes which only compute cells start
without them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student_t

Row = Mapping[str, Any]
Interval = dict[str, float | int | None]


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean over seeds and its Student t interval; one value alone has none.

    Args:
        values: One per seed.

    Returns:
        ``mean``, ``low``, ``high`` and the number of ``seeds``; without two seeds the bounds are
        None.
    """
    from qvlm_qiskit.evaluation.metrics import CONFIDENCE

    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return {"mean": mean, "low": None, "high": None, "seeds": count}
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    reach = float(student_t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "seeds": count}


def accuracy_interval(rows: Sequence[Row]) -> Interval:
    """Mean accuracy over seeds, with an interval between 0 and 1.

    Two seeds that happen to agree say little: the Student interval over seeds is never taken
    narrower than Wilson's for all their questions together. One seed has Wilson's alone, which is
    about the choice of questions and not about that of the seed.

    Args:
        rows: One per seed, with ``accuracy``, ``correct`` and ``total``.
    """
    from qvlm_qiskit.evaluation.metrics import Accuracy

    found = mean_interval([row["accuracy"] for row in rows])
    pooled = Accuracy(sum(row["correct"] for row in rows), sum(row["total"] for row in rows))
    low, high = pooled.interval
    if found["low"] is None or found["high"] is None:
        return {**found, "low": low, "high": high}
    found["low"] = max(0.0, min(float(found["low"]), low))
    found["high"] = min(1.0, max(float(found["high"]), high))
    return found


def paired(
    rows: Sequence[Row], others: Sequence[Row], names: Sequence[str]
) -> dict[str, Interval] | None:
    """Mean difference ``rows - others`` of some numbers over the seeds that both have.

    Args:
        rows: One per seed.
        others: One per seed.
        names: The numbers.

    Returns:
        An interval per name; None where no seed is in both.
    """
    by_seed = {row["seed"]: row for row in others}
    pairs = [(row, by_seed[row["seed"]]) for row in rows if row["seed"] in by_seed]
    if not pairs:
        return None
    return {name: mean_interval([one[name] - two[name] for one, two in pairs]) for name in names}


def paired_accuracy(rows: Sequence[Row], others: Sequence[Row]) -> Interval | None:
    """Mean difference of accuracy over the seeds that both have.

    One seed alone has the paired bootstrap over its questions, if the rows say which were right.

    Args:
        rows: One per seed, with ``accuracy``, and ``right`` ("1" or "0" a question) where they are
            of this release.
        others: Likewise.

    Returns:
        An interval; None where no seed is in both.
    """
    from qvlm_qiskit.evaluation.metrics import paired_difference

    found = paired(rows, others, ("accuracy",))
    if found is None or found["accuracy"]["low"] is not None:
        return None if found is None else found["accuracy"]
    by_seed = {row["seed"]: row.get("right") for row in others}
    ((first, second),) = [
        (row.get("right"), by_seed[row["seed"]]) for row in rows if row["seed"] in by_seed
    ]
    if not first or not second or len(first) != len(second):
        return found["accuracy"]
    over_questions = paired_difference([c == "1" for c in first], [c == "1" for c in second])
    return {**found["accuracy"], "low": over_questions.low, "high": over_questions.high}


def grouped(rows: Sequence[Row], by: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows that agree in some columns, in order of first appearance."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in by)].append(row)
    return dict(groups)


def per_seed(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """One row per seed: the means of some numbers over all rows of the seed."""
    return [
        {"seed": seed, **{name: float(np.mean([row[name] for row in found])) for name in names}}
        for (seed,), found in grouped(rows, ("seed",)).items()
    ]


def means(rows: Sequence[Row], by: Sequence[str], of: Sequence[str]) -> list[dict[str, Any]]:
    """Mean and interval over seeds of some numbers, for each group of rows.

    Args:
        rows: With ``seed``; several of one seed in a group are averaged first.
        by: Columns that make the groups.
        of: The numbers.

    Returns:
        One entry per group: its columns, and an interval per number.
    """
    found = []
    for place, group in grouped(rows, by).items():
        seeds = per_seed(group, of)
        intervals = {name: mean_interval([row[name] for row in seeds]) for name in of}
        found.append({**dict(zip(by, place, strict=True)), **intervals})
    return found


def differences(
    rows: Sequence[Row], by: Sequence[str], of: Sequence[str], reference: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Differences from a reference, paired by seed.

    With ``by=("variant", "machine")`` and ``reference={"variant": "classical"}`` every variant is
    compared with the classical one on the same machine.

    Args:
        rows: As for :func:`means`.
        by: Columns that make the groups.
        of: The numbers.
        reference: Values of some of these columns.

    Returns:
        One entry per group that is not its own reference and shares a seed with it: its columns,
        and an interval per number.
    """
    groups = {place: per_seed(found, of) for place, found in grouped(rows, by).items()}
    found = []
    for place, group in groups.items():
        here = dict(zip(by, place, strict=True))
        other = tuple({**here, **reference}[name] for name in by)
        intervals = paired(group, groups.get(other, []), of) if other != place else None
        if intervals is not None:
            found.append({**here, **intervals})
    return found


def bounded(
    points: Sequence[Row], of: Sequence[str], low: float = 0.0, high: float = math.inf
) -> list[dict[str, Any]]:
    """Groups whose intervals end where their numbers do.

    Args:
        points: From :func:`means`.
        of: The numbers.
        low: Their least value.
        high: Their largest.
    """

    def cut(found: Mapping[str, Any]) -> dict[str, Any]:
        if found["low"] is None:
            return dict(found)
        return {**found, "low": max(low, found["low"]), "high": min(high, found["high"])}

    return [{**point, **{name: cut(point[name]) for name in of}} for point in points]


def verdict(found: Mapping[str, Any]) -> str:
    """What the interval of a difference says, in words; more is better."""
    if found["low"] is None:
        return "one seed: nothing can be said"
    scope = ", by one seed's questions" if found.get("seeds") == 1 else ""
    if found["low"] <= 0 <= found["high"]:
        return f"no difference seen{scope}"
    return f"{'better' if found['mean'] > 0 else 'worse'}{scope}"
