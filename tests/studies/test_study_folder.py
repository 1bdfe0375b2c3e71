import json
import math

import pytest

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.study_folder import StudyFolder

HEADER = {"format": "qvlm-test-study", "version": 1}


@pytest.fixture
def open_folder(tmp_path):
    def folder(header=HEADER, grows=(), **options):
        return StudyFolder(tmp_path / "s", header, options, frozenset(grows))

    return folder


def test_nothing_is_written_before_it_begins(open_folder, tmp_path):
    folder = open_folder(size=1)
    assert not (tmp_path / "s").exists()
    folder.begin()
    record = json.loads((tmp_path / "s" / "grid.json").read_text("utf-8"))
    assert record == {**HEADER, "size": 1}


def test_rows_are_found_again(open_folder):
    folder = open_folder()
    folder.begin()
    rows = [{"key": str(n), "text": "a\u2028b"} for n in range(3)]  # no end of a line in JSON
    for row in rows:
        folder.add(row)
    assert list(open_folder().rows.values()) == rows == list(folder.rows.values())


def test_an_unfinished_line_is_no_row_and_goes_when_the_study_begins(open_folder, tmp_path):
    folder = open_folder()
    folder.begin()
    folder.add({"key": "a"})
    path = tmp_path / "s" / "rows.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:4])
    again = open_folder()
    assert list(again.rows) == ["a"]
    assert path.read_bytes() != whole
    again.begin()
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["{", "[1]", "{}", "3"])
def test_a_damaged_line_is_refused_by_its_number(open_folder, tmp_path, line):
    folder = open_folder()
    folder.begin()
    folder.add({"key": "a"})
    with (tmp_path / "s" / "rows.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=r"rows\.jsonl is damaged at line 2"):
        open_folder()


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}])
def test_a_row_that_is_not_json_is_refused_and_leaves_no_line(open_folder, tmp_path, value):
    folder = open_folder()
    folder.begin()
    with pytest.raises(InputError, match="cell a is not JSON"):
        folder.add({"key": "a", "value": value})
    assert open_folder().rows == {}


def test_options_are_those_that_it_was_begun_with(open_folder):
    open_folder(size=(1, 2), seeds=3).begin()
    open_folder(size=(1, 2), seeds=3).begin()
    with pytest.raises(InputError, match=r"begun with seeds = 3, not 4"):
        open_folder(size=(1, 2), seeds=4)
    open_folder(size=(1, 2), seeds=4, grows={"seeds"}).begin()


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("{", "not a study"),
        ("[]", "not a study"),
        ('{"format": "qvlm-results", "version": 1}', "s is not a study"),
        ('{"format": 3, "version": 1}', "s is not a study"),
        ('{"format": "qvlm-other-study", "version": 1}', "s is the folder of the study other;"),
        ('{"format": "qvlm-test-study", "version": 2}', "version 2, not 1"),
    ],
)
def test_folders_of_something_else_are_refused(open_folder, tmp_path, record, says):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "grid.json").write_text(record)
    with pytest.raises(InputError, match=says):
        open_folder()


def test_a_file_is_no_folder(open_folder, tmp_path):
    (tmp_path / "s").write_text("mine")
    with pytest.raises(InputError, match="not a study"):
        open_folder()


def test_data_is_what_it_was_when_it_was_read_first(open_folder, tmp_path):
    folder = open_folder()
    folder.hold_to({"folder:a": {"train, 9, seed 0": "ab"}})
    assert not (tmp_path / "s").exists()
    folder.begin()
    folder.hold_to({"folder:a": {"test, 9, seed 0": "cd"}})
    again = open_folder()
    again.hold_to({"folder:a": {"train, 9, seed 0": "ab"}, "folder:b": {"train, 9, seed 0": "ef"}})
    for which in ("train, 9, seed 0", "test, 9, seed 0"):
        with pytest.raises(InputError, match=f"^folder:a has changed since .*s was begun .{which}"):
            open_folder().hold_to({"folder:a": {which: "ff"}})
    again.begin()
    with pytest.raises(InputError, match=r"^folder:b has changed"):
        open_folder().hold_to({"folder:b": {"train, 9, seed 0": "ff"}})


@pytest.mark.parametrize("text", ["{", "[]", '{"folder:a": 3}'])
def test_damaged_digests_are_refused(open_folder, tmp_path, text):
    open_folder().begin()
    (tmp_path / "s" / "data.json").write_text(text)
    with pytest.raises(InputError, match=r"data\.json is damaged"):
        open_folder()
