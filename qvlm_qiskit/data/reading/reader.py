"""Data that lies somewhere: a reader finds its rows, all else is the same for every format.

A reader is a function ``(place, options) → official split → its rows`` with `reads` in front of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.reading.rows import Row
from qvlm_qiskit.data.reading.samples import ReadSamples, choose
from qvlm_qiskit.data.reading.splits import SPLITS, Found, Parts, rows_of
from qvlm_qiskit.data.registry import DataSet
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import DATA_SETS

Read = Callable[[Path, Mapping[str, str]], Parts]
_YES = {"yes": True, "no": False}


@dataclass(frozen=True)
class Reader:
    """A format of data.

    Attributes:
        name: What stands before the colon.
        read: Finds the rows of every official split, or all of them.
        takes: What lies at the place, for messages.
        options: Keys that it understands beside "strict".
        by_picture: Whether data without splits is divided by equal pictures, which reads them all.
        on_disk: Whether the place is a path.
    """

    name: str
    read: Read
    takes: str
    options: tuple[str, ...] = ()
    by_picture: bool = True
    on_disk: bool = True

    def at(self, name: PlacedName) -> DataSet:
        """The data set at a place.

        Raises:
            InputError: No place, nothing there, or a value that an option can't have.
            UnknownNameError: An option that the format doesn't have.
        """
        if name.place is None:
            raise InputError(f"{self.name} is read from {self.takes}: {self.name}:PLACE")
        for key in name.options:
            if key not in (*self.options, "strict"):
                raise UnknownNameError(f"option of {self.name}", key, (*self.options, "strict"))
        strict = name.options.get("strict", "no")
        if strict not in _YES:
            raise UnknownNameError("value of strict", strict, _YES)
        place = Path(name.place).expanduser()
        if self.on_disk and not _there(place):
            raise InputError(f"nothing at {place}: {self.name} is read from {self.takes}")
        options = {key: value for key, value in name.options.items() if key != "strict"}
        placed = Placed(self, str(name), place, options, _YES[strict])
        return DataSet(str(name), placed.open, placed.texts, splits=SPLITS, tracked=True)


@dataclass(frozen=True)
class Placed:
    """A format at a place; the rows of a split are read once."""

    reader: Reader
    name: str
    place: Path
    options: Mapping[str, str]
    strict: bool

    @cached_property
    def _parts(self) -> Parts:
        return self.reader.read(self.place, self.options)

    @cached_property
    def _known(self) -> dict[str, list[Found]]:
        return {}

    def rows(self, split: str) -> list[Found]:
        """All rows of a split.

        Raises:
            InputError: There are none, or the files are of another format.
        """
        if split not in self._known:
            by_picture = self.reader.by_picture
            try:
                found = rows_of(self._parts, split, self.name, by_picture=by_picture)
            except InputError:
                raise
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                # published files are trusted to be of their format; these are not
                raise InputError(
                    f"{self.name} is of another format than {self.reader.takes}: "
                    f"{type(error).__name__} {error}"
                ) from error
            self._known[split] = found
        return self._known[split]

    def texts(self) -> Iterable[str]:
        """Questions and answers of all that is for training: the words that a model may say."""
        for row in self.rows("train"):
            if isinstance(row, Row):
                yield from (row.question, *row.answers)

    def open(self, split: str, size: int | None, seed: int, track: Track = silent) -> ReadSamples:
        """See `DataSet.open`."""
        rows = self.rows(split)
        return choose(rows, split, size, seed, self.name, strict=self.strict, track=track)


def reads(
    name: str,
    *,
    takes: str,
    options: tuple[str, ...] = (),
    by_picture: bool = True,
    on_disk: bool = True,
) -> Callable[[Read], Reader]:
    """Decorator that makes a format of a function ``(place, options) → split → rows``.

    Args:
        name: Of the format: that of its file, or of its entry point.
        takes: What lies at the place, such as "a folder with …".
        options: Keys that it understands.
        by_picture: Whether data without splits is divided by equal pictures.
        on_disk: Whether the place is a path.
    """

    def enter(read: Read) -> Reader:
        found = Reader(name, read, takes, options, by_picture, on_disk)
        DATA_SETS.enter(name, found)
        return found

    return enter


def _there(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:
        return False
