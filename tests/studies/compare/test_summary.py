import math

import pytest

from qvlm_qiskit.studies.compare.summary import summarise

UNITS = {"exact match": "share", "CIDEr": "points"}
NAMES = {"exact match": "exact-match", "CIDEr": "cider", "perplexity": "perplexity"}


def row(variant, seed, right, cider, machine="statevector"):
    correct, total = right.count("1"), len(right)
    values = {"exact match": correct / total, "CIDEr": cider}
    part = {"accuracy": correct / total, "correct": correct, "total": total}
    return {
        "variant": variant, "machine": machine, "seed": seed, "right": right, **part,
        "values": values, "metrics": [
            {
                "metric": NAMES[n], "label": n, "unit": u,
                "low": values[n] - 0.1, "high": values[n] + 0.1,
            }
            for n, u in UNITS.items()
        ],
        "by_kind": {"caption": part}, "parameters": 7, "quantum_parameters": 1,
        "seconds_trained": 1.0 + seed, "seconds_evaluated": 2.0,
    }  # fmt: skip


ROWS = [
    row("quantum", 0, "1100", 0.4), row("quantum", 1, "1110", 0.6),
    row("quantum", 0, "1000", 0.2, "noisy:x"), row("quantum", 1, "1100", 0.4, "noisy:x"),
    row("classical", 0, "0100", 0.5), row("classical", 1, "0110", 0.7),
]  # fmt: skip


def test_points_are_means_over_seeds():
    points = summarise(ROWS)["points"]
    assert [(p["variant"], p["machine"]) for p in points] == [
        ("quantum", "statevector"), ("quantum", "noisy:x"), ("classical", "statevector"),
    ]  # fmt: skip
    first = points[0]
    assert first["metrics"]["CIDEr"]["mean"] == pytest.approx(0.5)
    assert first["metrics"]["CIDEr"]["low"] == 0.0  # no metric is negative
    assert first["metrics"]["exact match"]["mean"] == 0.625
    assert first["by_kind"]["caption"]["mean"] == 0.625
    assert first["seconds_trained"] == 1.5


def test_an_interval_ends_where_its_metric_does():
    rows = [
        {
            **one, "values": {"exact match": 0.5, "perplexity": 1.1 + one["seed"]},
            "metrics": [
                {"metric": name, "label": label, "unit": "", "low": 1.0, "high": 1.2}
                for label, name in NAMES.items() if label != "CIDEr"
            ],
        }
        for one in ROWS
    ]  # fmt: skip
    found = summarise(rows)["points"][0]["metrics"]["perplexity"]
    assert found["low"] == 1.0  # Student's would end at -4.75
    assert found["high"] == pytest.approx(7.953, abs=1e-3)


def test_differences_are_paired_by_seed_and_never_without_a_width():
    found = {(d["what"], d["label"]): d for d in summarise(ROWS)["differences"]}
    assert set(found) == {
        (what, label) for what in ("quantum − classical", "noisy:x − exact") for label in UNITS
    }
    twin = found["quantum − classical", "exact match"]
    assert twin["mean"] == 0.25
    assert twin["low"] < 0.25 < twin["high"]
    cider = found["quantum − classical", "CIDEr"]
    assert cider["mean"] == pytest.approx(-0.1)
    reach = math.hypot(0.1, 0.1)  # both seeds' differences are the same
    assert (cider["low"], cider["high"]) == pytest.approx((-0.1 - reach, -0.1 + reach))
    assert found["noisy:x − exact", "exact match"]["mean"] == -0.25


def test_one_seed_has_an_interval_over_questions():
    found = summarise([one for one in ROWS if one["seed"] == 0])
    point = found["points"][0]["metrics"]
    assert (point["CIDEr"]["low"], point["CIDEr"]["high"]) == pytest.approx((0.3, 0.5))
    assert point["exact match"]["low"] < 0.5 < point["exact match"]["high"]
    (first, *_) = found["differences"]
    assert first["low"] is not None


def test_seeds_that_agree_have_the_interval_of_their_questions():
    same = [row("majority", seed, "10", 0.4) for seed in (0, 1)]
    found = summarise(same)["points"][0]["metrics"]["CIDEr"]
    assert (found["low"], found["mean"], found["high"]) == pytest.approx((0.3, 0.4, 0.5))


def test_without_the_quantum_model_there_are_no_differences():
    assert summarise(ROWS[-2:])["differences"] == []
