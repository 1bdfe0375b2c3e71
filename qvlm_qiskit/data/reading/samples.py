"""Rows → samples: chosen by a seed, each picture decoded once before it is promised."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

import numpy as np
from PIL import Image

from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.reading.rows import BadRow, Row, decoded
from qvlm_qiskit.data.reading.splits import SPLITS, Found
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadSample(Sample):
    """A sample of somebody's data."""

    def accepts(self, given: str) -> bool:
        """Whether an answer is right, word for word: one of those that people gave.

        Case, and spaces beside punctuation, count for nothing: a tokenizer of words loses both.
        """
        return _plain(given) in {_plain(answer) for answer in (self.answer, *self.references)}


@dataclass
class Skipped:
    """Rows that can't be used.

    Attributes:
        reasons: Why → how many, and the name of the first.
    """

    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, name: str, reason: str) -> None:
        """Count a row."""
        count, first = self.reasons.get(reason, (0, shorten(name, 120, placeholder=" …")))
        self.reasons[reason] = (count + 1, first)

    @property
    def total(self) -> int:
        """How many rows."""
        return sum(count for count, _ in self.reasons.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {why: {"rows": n, "first": name} for why, (n, name) in self.reasons.items()}

    def __str__(self) -> str:
        return "; ".join(f"{n} × {why} (first: {x})" for why, (n, x) in self.reasons.items())


@dataclass(frozen=True)
class ReadSamples:
    """Samples whose pictures are decoded on access.

    Attributes:
        chosen: Rows, each with the number of the answer that its sample teaches.
        skipped: Rows that were passed over.
        digest: SHA-256 in hexadecimal of all texts and pictures, in order.
    """

    chosen: Sequence[tuple[Row, int]]
    skipped: Skipped
    digest: str

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Sample:
        row, number = self.chosen[index]
        return _sample(row, number, decoded(row.picture.read()))

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def texts(self) -> list[tuple[str, str]]:
        """Question and answer of every sample; no picture is opened."""
        return [(row.question, row.answers[number]) for row, number in self.chosen]

    def questions(self) -> dict[str, str]:
        """Kind → question, for the kinds that always ask in the same words."""
        asked: dict[str, set[str]] = {}
        for row, _ in self.chosen:
            asked.setdefault(row.kind, set()).add(row.question)
        return {kind: next(iter(texts)) for kind, texts in asked.items() if len(texts) == 1}

    def facts(self) -> dict[str, Any]:
        """What a record says of them."""
        skipped = {"skipped": self.skipped.as_dict()} if self.skipped.total else {}
        return {"samples": len(self), "digest": self.digest[:16], **skipped}


def choose(
    rows: Sequence[Found],
    split: str,
    size: int | None,
    seed: int,
    place: str,
    *,
    strict: bool = False,
    track: Track = silent,
) -> ReadSamples:
    """So many samples of a split, in an order that a seed decides.

    In training every answer of a row is a sample, otherwise every row is one. A row that can't be
    used is passed over, counted and reported.

    Args:
        rows: Of the split.
        split: Its name.
        size: At most so many samples; None for all there are.
        seed: Of the order.
        place: For messages.
        strict: Stop at the first row that can't be used.
        track: Opens progress bars.

    Raises:
        InputError: No row can be used; with ``strict``, one can't.
    """
    offered = [(i, number) for i, row in enumerate(rows) for number in range(_times(row, split))]
    order = np.random.default_rng([seed, SPLITS.index(split)]).permutation(len(offered))
    wanted = len(offered) if size is None else min(size, len(offered))
    kept: list[tuple[Row, int]] = []
    skipped, digest = Skipped(), hashlib.sha256()
    checked: dict[int, bytes | None] = {}
    with track("reading images", wanted) as report:
        for index, number in (offered[i] for i in order):
            if len(kept) == wanted:
                break
            row = rows[index]
            if index not in checked:
                checked[index] = _checked(row, place, skipped, strict)
            content = checked[index]
            if content is not None and isinstance(row, Row):
                kept.append((row, number))
                for part in (json.dumps([row.question, row.answers[number]]).encode(), content):
                    digest.update(part)
                report(len(kept))
        report(wanted)  # fewer, if some are bad
    if not kept:
        raise InputError(f"no row of {place} can be used: {skipped}")
    if skipped.total:
        _log.warning("%s: skipped %s", place, skipped)
    return ReadSamples(kept, skipped, digest.hexdigest())


def _times(row: Found, split: str) -> int:
    """How many samples a row is."""
    return len(row.answers) if isinstance(row, Row) and split == "train" and row.answers else 1


def _checked(row: Found, place: str, skipped: Skipped, strict: bool) -> bytes | None:
    """The digest of a row's picture; None for a row that can't be used."""
    try:
        if isinstance(row, BadRow):
            raise InputError(row.reason)
        if not row.answers or not all(row.answers):
            raise InputError("no answer")
        if not row.question:
            raise InputError("no question")
        content = row.picture.read()
        decoded(content)
    except InputError as error:
        if strict:
            raise InputError(f"{place}, {row.name}: {error}") from error
        skipped.add(row.name, _shared(str(error)))
        return None
    return hashlib.sha256(content).digest()


def _shared(reason: str) -> str:
    """A reason without the path, which differs from row to row."""
    return reason.partition(" at ")[0]


def _sample(row: Row, number: int, image: Image.Image) -> Sample:
    accepted = row.references or row.answers
    answer = row.answers[number]
    return ReadSample(image, row.kind, row.question, answer, (row.name,), accepted)


def _plain(text: str) -> str:
    """A text in lower case, with single spaces, and none beside punctuation."""
    return re.sub(r"\s*([^\w\s])\s*", r"\1", " ".join(text.lower().split()))
