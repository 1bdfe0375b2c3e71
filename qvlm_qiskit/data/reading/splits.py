"""Which rows are for training and which are held out.

Official splits are kept. Where there is none, rows are divided by what they share: those with the
same picture, byte for byte, or of one group come into the same split, whichever seed is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from qvlm_qiskit.data.reading.rows import BadRow, Row
from qvlm_qiskit.errors import InputError

Found = Row | BadRow
Parts = Mapping[str, Callable[[], Iterable[Found]]]
"""Official split → its rows; ``WHOLE`` → all rows, of data without splits."""
WHOLE = ""
SPLITS = ("train", "validation", "test")
SHARES = (("test", 0.2), ("validation", 0.1), ("train", 0.7))
"""Of data without splits."""
_SYNONYMS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing", "eval"),
}


def official(parts: Parts) -> dict[str, list[str]]:
    """Our split → the official ones that it is made of; empty for data without splits.

    Where nothing is called a test, what is held out for validation is it. COCO's "restval" belongs
    to training, as Karpathy and Li (2015) use it.
    """
    named = {part.lower(): part for part in parts}
    found = {
        split: [named[word] for word in words if word in named]
        for split, words in _SYNONYMS.items()
    }
    if not found["test"]:
        found["test"], found["validation"] = found["validation"], []
    if found["train"] and "restval" in named:
        found["train"].append(named["restval"])
    return {split: words for split, words in found.items() if words}


def rows_of(parts: Parts, split: str, place: str, *, by_picture: bool) -> list[Found]:
    """The rows of a split.

    Args:
        parts: All rows there are.
        split: One of `SPLITS`.
        place: For messages.
        by_picture: Whether rows with equal pictures belong together; all pictures are read then.

    Raises:
        InputError: There is no such split, or no row in it.
    """
    if set(parts) == {WHOLE}:
        rows = list(parts[WHOLE]())
        found = [rows[i] for i in _own(rows, by_picture).get(split, [])]
    else:
        names = official(parts)
        if split not in names:
            there = ", ".join(f"{ours} ({' and '.join(of)})" for ours, of in names.items())
            raise InputError(
                f"{place} has no {split} split: it has {there or ' and '.join(sorted(parts))}"
            )
        found = [row for part in names[split] for row in parts[part]()]
    if not found:
        raise InputError(f"{place} has no rows for {split}")
    return found


def _own(rows: Sequence[Found], by_picture: bool) -> dict[str, list[int]]:
    """Split → indices of rows; those that share something are in one."""
    found: dict[str, list[int]] = {split: [] for split in SPLITS}
    for members in _together(rows, by_picture):
        first = min(_keys(rows[i], by_picture)[0] for i in members)
        found[_drawn(first)] += members
    return {split: sorted(members) for split, members in found.items()}


def _drawn(key: str) -> str:
    """A split, drawn by a key alone."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    for split, share in SHARES:
        if number < share:
            return split
        number -= share
    return SHARES[-1][0]


def _together(rows: Sequence[Found], by_picture: bool) -> list[list[int]]:
    """Indices of rows that are connected by keys they share."""
    above = list(range(len(rows)))
    first: dict[str, int] = {}

    def root(i: int) -> int:
        while above[i] != i:
            above[i] = above[above[i]]
            i = above[i]
        return i

    for i, row in enumerate(rows):
        for key in _keys(row, by_picture):
            above[root(i)] = root(first.setdefault(key, i))
    members: dict[int, list[int]] = {}
    for i in range(len(rows)):
        members.setdefault(root(i), []).append(i)
    return list(members.values())


def _keys(row: Found, by_picture: bool) -> list[str]:
    """What a row may share with others."""
    if isinstance(row, BadRow):
        return [f"row {row.name}"]
    keys = [f"group {row.group}"] if row.group else []
    if by_picture:
        try:
            keys.append(f"picture {hashlib.sha256(row.picture.read()).hexdigest()}")
        except InputError:  # it is counted as bad where it is used
            pass
    return keys or [f"row {row.name}"]
