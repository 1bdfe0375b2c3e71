"""Columns by their usual names, and by the user's."""

import pytest

from qvlm_qiskit.data.reading.columns import Columns
from qvlm_qiskit.errors import InputError, UnknownNameError


@pytest.mark.parametrize(
    ("there", "named", "words", "kind"),
    [
        ("image label", {}, ("what is this?", ("7",), ()), "label"),
        ("path caption", {}, ("describe the image.", ("a 7",), ()), "caption"),
        ("image question answer", {}, ("why?", ("so",), ()), "question"),
        ("image sentence label", {}, ("it is", ("7",), ()), "question"),
        ("image question label", {"ask": "which?"}, ("which?", ("7",), ()), "label"),
        ("image label caption", {}, ("what is this?", ("7",), ()), "label"),
        ("image label caption", {"caption": "caption"}, ("describe the image.", ("a 7",), ()),
         "caption"),
        ("image question multiple_choice_answer answers", {}, ("why?", ("so",), ("so", "thus")),
         "question"),
        ("image odd question", {"answer": "odd"}, ("why?", ("x y",), ()), "question"),
    ],
)  # fmt: skip
def test_columns_are_found(there, named, words, kind):
    cells = {
        "image": "a.png", "path": "a.png", "label": 7.0, "caption": ["a 7"], "question": "why?",
        "answer": "so", "sentence": " it\nis ", "odd": "x  y", "multiple_choice_answer": "so",
        "answers": [{"answer": "so"}, {"answer": "thus"}, {"answer": None}],
    }  # fmt: skip
    columns = Columns.of(there.split(), named, "mine.csv")
    assert columns.words(cells) == words
    assert columns.kind_of(cells) == kind


@pytest.mark.parametrize("cell", [None, "", "  ", float("nan"), []])
def test_an_empty_cell_is_no_answer(cell):
    columns = Columns.of(["image", "answer"], {}, "mine.csv")
    assert columns.words({"image": "a", "answer": cell})[1] == ()


@pytest.mark.parametrize(
    ("there", "named", "error", "said"),
    [
        ("image label", {"answer": "lable"}, InputError,
         "mine.csv has no column 'lable': its columns are image, label"),
        ("photo label", {}, InputError, r"no column for image: name it \(its columns are photo"),
        ("image x", {}, InputError, "no column for answer or caption"),
        ("image label", {"anser": "label"}, UnknownNameError, "did you mean 'answer'"),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_are_named(there, named, error, said):
    with pytest.raises(error, match=said):
        Columns.of(there.split(), named, "mine.csv")
