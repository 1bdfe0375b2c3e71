"""``qvlm noise``: snapshots of calibrations and what differs between them."""

import json
import re
from pathlib import Path

import pytest

from qvlm_qiskit.noise_models import NoiseSpec
from tests.cli.tables import cells, widest


def test_a_saved_calibration_is_dated_and_the_same(qvlm):
    saved = qvlm("noise", "save", "fake_manila", "manila.json")
    assert (saved.status, saved.out) == (0, "")
    assert "calibrated 2024-05-27" in " ".join(saved.err.split())
    spec = NoiseSpec.load("manila.json")
    assert (spec.snapshot.device, len(spec.qubits)) == ("fake_manila", 5)
    assert qvlm("noise", "diff", "fake_manila", "manila.json").out == "no differences\n"
    shown = json.loads(qvlm("noise", "show", "manila.json", "--json").out)
    assert NoiseSpec.from_dict(shown) == spec


def test_a_table_shows_medians_sources_and_dates(qvlm):
    text = qvlm("noise", "show", "fake_manila+zz(0.02)+depolarizing(0.01)").out
    assert max(map(len, text.splitlines())) <= 80
    for part in ("t1_us_median", "angle_rad = 0.02 rad", "after cx", "2024-05-27", "days"):
        assert part in text
    assert "any" in qvlm("noise", "show", "zz(0.1)").out


def test_differences_have_units_and_changes(qvlm):
    found = json.loads(qvlm("noise", "diff", "thermal(100,80)", "thermal(110,80)", "--json").out)
    assert [(d["quantity"], d["unit"], d["change"]) for d in found] == [
        ("t1_us", "µs", pytest.approx(0.1)),
        ("t1_us", "µs", pytest.approx(0.1)),
    ]
    text = qvlm("noise", "diff", "fake_manila", "fake_lagos", "--all").out
    assert re.search(r"qubit 0 t1_us \(µs\) +│ 131\.5 +│ 146\.3 +│ +\+11\.2%", text)
    assert max(map(len, text.splitlines())) <= 80
    for more in ((), ("--all",)):
        one = qvlm("noise", "diff", "zz(0.01)", "zz(0.02)", *more).out
        assert one.startswith("1 difference ")


def test_differences_are_summed_up_by_what_differs(qvlm):
    found = json.loads(qvlm("noise", "diff", "fake_manila", "fake_lagos", "--json").out)
    text = qvlm("noise", "diff", "fake_manila", "fake_lagos").out
    rows = cells(text)
    assert sum(int(row[1]) for row in rows) == len(found)
    assert len(text.splitlines()) < 40 < len(found)
    assert widest(text) <= 80
    t1 = [d for d in found if d["quantity"] == "t1_us" and d["change"] is not None]
    (shown,) = [row for row in rows if row[0] == "qubit t1_us (µs)"]
    changes = [d["change"] for d in t1]
    assert shown[4] == f"{min(changes):+.0%} … {max(changes):+.0%}"
    assert "--all" in text


@pytest.mark.parametrize("content", ["{}", "my notes", '{"format": "other"}'])
def test_saving_replaces_no_file_of_something_else(refused, content):
    Path("mine.json").write_text(content, encoding="utf-8")
    assert "is no noise model file" in refused(
        "noise", "save", "zz(0.1)", "mine.json", "--overwrite"
    )


def test_saving_replaces_a_noise_where_that_is_asked_for(qvlm):
    assert qvlm("noise", "save", "zz(0.1)", "noise.json").status == 0
    assert qvlm("noise", "save", "zz(0.2)", "noise.json", "--overwrite").status == 0
    assert "0.2" in Path("noise.json").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("show depolarizing(-0.1)", ["-0.1;"]),
        ("show amplitude_damping(-0.1)", ["-0.1;"]),
        ("show fake_manilla", ["unknown noise 'fake_manilla'", "did you mean 'fake_manila'"]),
        ("show missing.json", ["can't read the noise description missing.json"]),
        ("show depolarizing(2)", ["a probability is a number between 0 and 1"]),
        ("show thermal(10,21)", ["t2_us=21.0 is above 2·t1_us=20.0"]),
        ("show fake_manila --max-age-days 30", ["fake_manila is stale", "2024-05-27"]),
        ("show fake_manila --max-age-days 0", ["max_age_days is 0.0; it must be positive"]),
        ("show zz(0.1) --max-age-days 9", ["has no calibration date"]),
        ("show fake_manila+fake_lagos", ["unknown noise 'fake_lagos'"]),
        ("save zz(0.1) noise.txt", ["ends in .json"]),
        ("save zz(0.1) taken.json", ["exists already", "--overwrite"]),
        ("save zz(0.1) file/noise.json", ["can't write the noise description"]),
    ],
)
def test_what_cannot_be_shown_or_saved_is_refused_by_name(refused, words, says):
    Path("taken.json").write_text("{}", encoding="utf-8")
    line = refused("noise", *words.split())
    assert all(part in line for part in says), line
    assert Path("taken.json").read_text(encoding="utf-8") == "{}"
