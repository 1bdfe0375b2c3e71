import shutil

import pytest

from qvlm_qiskit.studies.noise.flips import flipped_pictures, machine_names
from qvlm_qiskit.studies.noise.noise_report import noise_section
from qvlm_qiskit.studies.noise.summary import summarise

QUESTIONS = 4


def row_of(run, right, strength=None, **more):
    """A row of a run, with answers that say the question's number and the strength."""
    answers = [f"{index} at {strength}" for index in range(QUESTIONS)]
    rest = {"accuracy": 0.5, "correct": 2, "total": 4, "loss": 0.1, "expectations": [], "gates": {}}
    noisy = strength is not None
    return {
        "run": str(run), "kind": "trained exactly", "seed": 0, "right": right, "answers": answers,
        "device": "noisy:fake_manila" if noisy else "statevector", "strength": strength,
        "shots": 10 if noisy else None, "mitigation": "none" if noisy else None,
        "error_kinds": "all" if noisy else None, **rest, **more,
    }  # fmt: skip


@pytest.fixture
def rows(short_run):
    run = short_run.path
    return [row_of(run, "1100", 1.0), row_of(run, "0110", 2.0), row_of(run, "1010")]


def test_flipped_questions_come_with_pictures_and_with_what_was_said(rows, short_run):
    found = flipped_pictures({"rows": rows, "grid": {"questions": QUESTIONS}})
    samples = short_run.samples("test", QUESTIONS)
    assert [one["index"] for one in found["lost"]] == [0, 2]
    assert [one["index"] for one in found["gained"]] == [1]
    first, second = found["lost"]
    assert first["answers"] == {"exactly": "0 at None", "× 2": "0 at 2.0"}
    assert first["wrong"] == ["× 2"] and first["question"] == samples[0].question
    assert second["answers"] == {"exactly": "2 at None", "× 1": "2 at 1.0"}
    (gained,) = found["gained"]
    assert gained["wrong"] == ["exactly"] and set(gained["answers"]) == {"exactly", "× 1", "× 2"}
    assert all(one["image"].startswith("data:image/png;base64,") for one in found["lost"])
    assert found["of"] == "trained exactly, seed 0" and not found["unread"]


def test_the_page_shows_them(rows):
    from qvlm_qiskit.studies.reports.templates import template

    results = {"rows": rows, "grid": {"questions": QUESTIONS}, **summarise(rows)}
    section = noise_section(results, flipped_pictures(results))
    page = template("noise_section.html.j2").render(study=section, heading="h2")
    assert "Answers that noise flips" in page and page.count("<img") == 3
    assert 'class="wrong">0 at 2.0' in page and "1, 1" in page
    # a report that has no pictures of its own leaves them out
    bare = template("noise_section.html.j2").render(study=noise_section(results), heading="h2")
    assert "Answers that noise flips" not in bare


def test_rows_of_earlier_releases_have_none(rows):
    old = [{name: row[name] for name in row if name != "answers"} for row in rows]
    for given in (old, rows[:2], rows[2:]):  # no answers, no exact row, no noisy one
        found = flipped_pictures({"rows": given, "grid": {"questions": QUESTIONS}})
        assert (found["lost"], found["gained"], found["unread"]) == ([], [], "")


def test_pictures_that_can_not_be_read_any_more_are_said_to_be(rows, short_run, tmp_path):
    moved = shutil.copytree(short_run.path, tmp_path / "run")
    rows = [{**row, "run": str(moved)} for row in rows]
    shutil.rmtree(moved)
    found = flipped_pictures({"rows": rows, "grid": {"questions": QUESTIONS}})
    assert "run" in found["unread"] and found["lost"] == []


def test_machines_are_named_by_what_differs(short_run):
    rows = [row_of(short_run.path, "1100", 1.0), row_of(short_run.path, "1100", 1.0, shots=20)]
    assert machine_names(rows[:1]) == ["× 1"]
    assert machine_names(rows) == ["× 1, 10 shots", "× 1, 20 shots"]
    rows += [row_of(short_run.path, "1100", 0.5, error_kinds="readout", device="noisy:fake_lima")]
    rows += [row_of(short_run.path, "1100", 1.0, mitigation="zne")]
    assert machine_names(rows) == [
        "fake_manila, × 1, 10 shots",
        "fake_manila, × 1, 20 shots",
        "fake_lima, × 0.5, readout errors, 10 shots",
        "fake_manila, × 1, zne, 10 shots",
    ]
