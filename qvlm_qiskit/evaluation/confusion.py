"""Which answers are taken for which others: a table for each kind of question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LARGEST = 12
"""Rows of a table; answers beyond them are put together."""
OTHERS = "all others"


@dataclass(frozen=True)
class Answered:
    """One question, what was expected, and what was said.

    Attributes:
        kind: Kind of question.
        expected: The accepted answer.
        given: What was said.
        right: Whether it is accepted.
    """

    kind: str
    expected: str
    given: str
    right: bool

    @property
    def counted(self) -> str:
        """What was said, as the accepted answer where it is another way to say it."""
        return self.expected if self.right else self.given


@dataclass(frozen=True)
class Confusion:
    """How often an answer was given where another was expected.

    Attributes:
        kind: Kind of question.
        expected: Names of the rows, the most frequent first; perhaps `OTHERS` at the end.
        given: Names of the columns: the same answers, and `OTHERS` where anything else was said.
        counts: One row per expected answer.
        right: Right answers among those that `OTHERS` puts together.
    """

    kind: str
    expected: tuple[str, ...]
    given: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    right: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def confusions(answered: Iterable[Answered], largest: int = LARGEST) -> list[Confusion]:
    """A table for each kind of question that has a closed set of answers.

    That is one whose answers are expected twice or more on average; captions usually are none.

    Args:
        answered: Questions and answers.
        largest: Rows of a table, at most.
    """
    kinds: dict[str, list[Answered]] = {}
    for one in answered:
        kinds.setdefault(one.kind, []).append(one)
    return [
        _confusion(kind, found, largest)
        for kind, found in kinds.items()
        if 2 <= len({one.expected for one in found}) <= len(found) / 2
    ]


def _confusion(kind: str, answered: Sequence[Answered], largest: int) -> Confusion:
    frequent = Counter(one.expected for one in answered).most_common()
    names = sorted(name for name, _ in frequent[:largest])
    known = set(names)

    def name_of(answer: str) -> str:
        return answer if answer in known else OTHERS

    pairs = Counter((name_of(one.expected), name_of(one.counted)) for one in answered)
    rows = [*names, *([OTHERS] if len(frequent) > largest else [])]
    columns = [*names, *([OTHERS] if any(given == OTHERS for _, given in pairs) else [])]
    right = sum(one.right for one in answered if one.expected not in known)
    counts = tuple(tuple(pairs[row, column] for column in columns) for row in rows)
    return Confusion(kind, tuple(rows), tuple(columns), counts, right)
