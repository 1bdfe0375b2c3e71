"""Rows that can't be used are counted, or stop; the rest is what it was promised to be."""

import io

import pytest
from PIL import Image

from qvlm_qiskit.data.reading.rows import BadRow, FilePicture, Row, StoredPicture
from qvlm_qiskit.data.reading.samples import ReadSample, choose
from qvlm_qiskit.errors import InputError


def png(shade):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


GOOD = [Row(StoredPicture(png(i)), "which?", (f"a{i}", f"b{i}"), name=f"row {i}") for i in range(5)]
BAD = [
    Row(StoredPicture(png(9)[:45]), "which?", ("x",), name="cut"),
    Row(StoredPicture(b""), "which?", ("x",), name="empty"),
    Row(StoredPicture(b"no image"), "which?", ("x",), name="text"),
    Row(StoredPicture(png(9)), "which?", (), name="no answer"),
    Row(StoredPicture(png(9)), "", ("x",), name="no question"),
    BadRow("bad", "a reason"),
]


def test_bad_rows_are_counted_and_good_ones_are_all_there(tmp_path, caplog):
    gone = [Row(FilePicture(tmp_path / f"{i}.png"), "which?", ("x",), name=f"{i}") for i in (1, 2)]
    found = choose([*BAD, *GOOD, *gone], "test", None, 0, "mine")
    assert sorted(s.answer for s in found) == [f"a{i}" for i in range(5)]
    assert {why: about["rows"] for why, about in found.skipped.as_dict().items()} == {
        "a damaged or unreadable image": 2, "no image": 1, "no answer": 1, "no question": 1,
        "a reason": 1, "no image file": 2,
    }  # fmt: skip
    assert "mine: skipped" in caplog.text
    assert found.facts()["samples"] == 5


@pytest.mark.parametrize("bad", BAD, ids=lambda row: row.name)
def test_strict_stops_at_the_first_and_names_it(bad):
    with pytest.raises(InputError, match=f"mine, {bad.name}: "):
        choose([bad], "test", None, 0, "mine", strict=True)


def test_as_many_good_rows_as_asked_for_in_the_order_of_a_seed():
    first = choose([*BAD, *GOOD], "test", 3, 0, "mine")
    again, other = (choose([*BAD, *GOOD], "test", 3, seed, "mine") for seed in (0, 3))
    assert len(first) == len(other) == 3
    assert [s.sources for s in first] == [s.sources for s in again]
    assert first.digest == again.digest != other.digest


def test_nothing_that_can_be_used_is_an_error_that_says_why():
    with pytest.raises(InputError, match="no row of mine can be used: 1 × a reason"):
        choose([BadRow("bad", "a reason")], "train", None, 0, "mine")


def test_in_training_every_answer_is_a_sample():
    found = choose(GOOD, "train", None, 0, "mine")
    assert sorted(s.answer for s in found) == sorted(a for row in GOOD for a in row.answers)
    assert found.texts() == [(s.question, s.answer) for s in found]
    assert found.questions() == {"question": "which?"}
    assert found[0].references == GOOD[int(found[0].answer[1])].answers


@pytest.mark.parametrize(
    ("given", "right"),
    [("A Cat", True), ("it's a dog.", True), ("it ' s a dog .", True), ("its a dog.", False),
     ("11", False), ("1 1", True), ("", False)],
)  # fmt: skip
def test_any_answer_that_people_gave_is_right_and_case_and_spaces_at_marks_are_nothing(
    given, right
):
    sample = ReadSample(
        Image.new("L", (2, 2)), "kind", "which?", "a cat", references=("It's a dog.", "1 1")
    )
    assert sample.accepts(given) == right
