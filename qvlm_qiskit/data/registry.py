"""Data sets by name: the files of this folder, and those that other distributions add.

A data set is a function ``(split, size, seed) → samples`` with `data_set` in front of it; a format
of data that lies somewhere has `qvlm_qiskit.data.reading.reader.reads` in front of it and is called
``NAME:PLACE``. Another distribution's is found by its entry point of the group
``qvlm_qiskit.data``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.data.sample import Samples
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import DATA_SETS, MOST_SAMPLES

TRAIN_APART = "train-without-validation"
"""The split that is trained on where losses on "validation" are measured and "train" shares images
with it."""
Opener = Callable[..., Samples]
"""(split, size, seed) → samples; without a size, as many as the data set holds."""
_KEPT: ContextVar[dict[str, DataSet] | None] = ContextVar("_KEPT", default=None)
"""What `reading_once` has read."""


@dataclass(frozen=True)
class DataSet:
    """A data set, and what a model must know of it before it sees a sample.

    Attributes:
        name: What `open_data`, training options and run folders call it.
        opener: Makes or reads the samples.
        vocabulary: Texts that contain every word of its questions and answers.
        questions: Kind → question, for the kinds that always ask in the same words.
        splits: What can be opened.
        tracked: Whether the opener takes ``track=``, because it works for seconds.
    """

    name: str
    opener: Opener
    vocabulary: Callable[[], Iterable[str]]
    questions: Mapping[str, str] = field(default_factory=dict)
    splits: tuple[str, ...] = ("train", "test")
    tracked: bool = False

    def training_split(self, validated: bool) -> str:
        """The split that is trained on.

        Args:
            validated: Whether losses on the validation split are measured meanwhile.
        """
        return TRAIN_APART if validated and TRAIN_APART in self.splits else "train"

    def open(
        self, split: str, size: int | None = None, seed: int = 0, track: Track = silent
    ) -> Samples:
        """The samples of a split; see `open_data`."""
        if split not in self.splits:
            raise UnknownNameError(f"split of {self.name}", split, self.splits)
        if size is not None and size < 1:
            raise InputError(f"a data set needs at least 1 sample, got {size}")
        if size is not None and size > MOST_SAMPLES:
            raise InputError(f"a data set has at most {MOST_SAMPLES:,} samples, got {size:,}")
        return self.opener(split, size, seed, **({"track": track} if self.tracked else {}))


@runtime_checkable
class TakesPlace(Protocol):
    """A format of data that lies somewhere."""

    def at(self, name: PlacedName) -> DataSet:
        """The data set at a place."""


@runtime_checkable
class Digested(Protocol):
    """Samples that were read from somewhere."""

    @property
    def digest(self) -> str:
        """Of all texts and pictures, in hexadecimal."""


def data_set(
    name: str,
    *,
    vocabulary: Callable[[], Iterable[str]],
    questions: Mapping[str, str] | None = None,
    splits: tuple[str, ...] = ("train", "test"),
) -> Callable[[Opener], DataSet]:
    """Decorator that makes a data set of a function ``(split, size, seed) → samples``.

    Args:
        name: Of the data set: that of its file, or of its entry point.
        vocabulary: Texts that contain every word of its questions and answers.
        questions: Kind → question, for the kinds that always ask in the same words; ``qvlm
            caption`` asks the kind "caption".
        splits: What can be opened.
    """

    def enter(opener: Opener) -> DataSet:
        found = DataSet(name, opener, vocabulary, questions or {}, splits)
        DATA_SETS.enter(name, found)
        return found

    return enter


@contextmanager
def reading_once() -> Iterator[None]:
    """Within, what has been read stays in memory: a split that is opened again is not read again.

    For what opens the same data many times, such as the trainings of a study. Files that change
    meanwhile are not looked at again.
    """
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def read_once_from_now_on() -> None:
    """`reading_once` until this process ends."""
    _KEPT.set({})


def read_so_far() -> dict[str, dict[str, str]]:
    """What has been read within `reading_once`: data set → which samples of it → their digest.

    Samples that are made and not read have no digest.
    """
    return {name: found for name, one in (_KEPT.get() or {}).items() if (found := _digests(one))}


def read_again(name: str, which: str) -> None:
    """Open samples as `read_so_far` names them.

    Args:
        name: Of the data set.
        which: Of its samples, "train, 4000, seed 0".

    Raises:
        InputError: Nothing there that can be read, or it is no such name.
    """
    said = re.fullmatch(r"([\w-]+), (all|\d+), seed (\d+)", which)
    if said is None:
        raise InputError(f"{which!r} names no samples of {name}")
    split, size, seed = said.groups()
    find_data(name).open(split, None if size == "all" else int(size), int(seed))


def _digests(kept: DataSet) -> dict[str, str]:
    opened = kept.opener.opened if isinstance(kept.opener, _ReadOnce) else {}
    return {
        f"{split}, {'all' if size is None else size}, seed {seed}": samples.digest[:16]
        for (split, size, seed), samples in opened.items()
        if isinstance(samples, Digested)
    }


class _ReadOnce:
    """An opener that keeps what it has opened."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.opened: dict[tuple[str, int | None, int], Samples] = {}

    def __call__(self, split: str, size: int | None, seed: int, **more: Any) -> Samples:
        key = split, size, seed
        if key not in self.opened:
            self.opened[key] = self._opener(split, size, seed, **more)
        return self.opened[key]


def find_data(name: str) -> DataSet:
    """The data set of a name: ``NAME``, ``NAME:PLACE`` or ``NAME:PLACE(key=value,…)``.

    Raises:
        UnknownNameError: There is none; the message has the nearest.
        InputError: It lies somewhere and nothing is said of where, or it lies nowhere.
        RegistryError: It can't be imported, or its entry point leads to something else.
    """
    kept = _KEPT.get()
    if kept is None:
        return _found(name)
    if name not in kept:
        found = _found(name)
        kept[name] = replace(found, opener=_ReadOnce(found.opener))
    return kept[name]


def _found(name: str) -> DataSet:
    placed = PlacedName.read(name)
    found = DATA_SETS.load(placed.name)
    if isinstance(found, TakesPlace):
        return found.at(placed)
    if not isinstance(found, DataSet):
        raise RegistryError(
            f"the entry point {placed.name!r} leads to no data set: use @data_set or @reads"
        )
    if placed.place is not None or placed.options:
        raise InputError(f"{placed.name} takes no place and no options: it is there by itself")
    return found


def open_data(
    name: str, split: str, size: int | None = None, seed: int = 0, track: Track = silent
) -> Samples:
    """The samples of a data set, the same for the same seed.

    Args:
        name: ``"digits"``, ``"folder:…"`` and the like, or another distribution's.
        split: Of most data sets, ``"train"`` or ``"test"``; data that is read has "validation" too.
        size: Number of samples; by default all that there are. Of data that is read there may be
            fewer.
        seed: Of whatever the data set draws.
        track: Opens progress bars.

    Raises:
        UnknownNameError: An unknown data set or split; the message has the nearest.
        InputError: A size below 1 or above a million, or nothing there that can be read.
        RegistryError: The data set can't be imported.
    """
    return find_data(name).open(split, size, seed, track)
