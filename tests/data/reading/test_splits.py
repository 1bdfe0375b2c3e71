"""Splits of our own leak nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qvlm_qiskit.data.reading.rows import BadRow, Row, StoredPicture
from qvlm_qiskit.data.reading.splits import SPLITS, WHOLE, official, rows_of
from qvlm_qiskit.errors import InputError


def rows_from(pairs):
    return [
        Row(StoredPicture(f"picture {p}".encode()), "?", ("a",), name=str(i), group=g)
        for i, (p, g) in enumerate(pairs)
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abcdefgh" * 3 + "\0")), min_size=1))
def test_no_picture_and_no_group_is_in_two_splits(pairs):
    rows = rows_from((p, "" if g == "\0" else g) for p, g in pairs)
    found = {}
    for split in SPLITS:
        try:
            found[split] = rows_of({WHOLE: lambda: rows}, split, "x", by_picture=True)
        except InputError as error:
            assert str(error) == f"x has no rows for {split}"
    assert sorted(row.name for part in found.values() for row in part) == sorted(
        row.name for row in rows
    )
    for what in (lambda row: row.picture.content, lambda row: row.group or row.name):
        parts = [{what(row) for row in part} for part in found.values()]
        assert sum(map(len, parts)) == len(set.union(*parts))


def test_shares_of_many_rows_are_as_stated():
    rows = rows_from((i, "") for i in range(3000))
    sizes = [len(rows_of({WHOLE: lambda: rows}, s, "x", by_picture=True)) for s in SPLITS]
    assert sum(sizes) == 3000
    assert sizes == pytest.approx([2100, 300, 600], rel=0.1)


def test_a_row_stays_in_its_split_when_others_are_added():
    def test_names(count):
        rows = rows_from((i, "") for i in range(count))
        return {row.name for row in rows_of({WHOLE: lambda: rows}, "test", "x", by_picture=True)}

    assert test_names(100) == {name for name in test_names(300) if int(name) < 100}


def test_bad_rows_are_kept_to_be_counted():
    rows = [*rows_from((i, "") for i in range(50)), BadRow("bad", "why")]
    found = [rows_of({WHOLE: lambda: rows}, s, "x", by_picture=True) for s in SPLITS]
    assert sum(map(len, found)) == 51


@pytest.mark.parametrize(
    ("parts", "ours"),
    [
        (("train", "val"), {"train": ["train"], "test": ["val"]}),
        (("train", "dev", "test"),
         {"train": ["train"], "validation": ["dev"], "test": ["test"]}),
        (("Train", "restval", "Test"), {"train": ["Train", "restval"], "test": ["Test"]}),
        (("validation",), {"test": ["validation"]}),
        (("left", "right"), {}),
    ],
)  # fmt: skip
def test_official_splits_are_ours_by_their_names(parts, ours):
    assert official({part: list for part in parts}) == ours


def test_a_split_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(InputError, match=r"x has no train split: it has test \(val\)"):
        rows_of({"val": list}, "train", "x", by_picture=True)
    with pytest.raises(InputError, match="x has no train split: it has left and right"):
        rows_of({"left": list, "right": list}, "train", "x", by_picture=True)
